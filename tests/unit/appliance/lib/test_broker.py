"""The broker of plain files: messages arrive, and waiting for one is short."""

import os
import time
from pathlib import Path

import pytest
from kombu import Connection

from appliance.lib import broker


@pytest.fixture
def connection(tmp_path: Path):
    options = {"polling_interval": 0.05}
    for name in ("data_folder_in", "data_folder_out", "control_folder"):
        folder = tmp_path / ("control" if name == "control_folder" else "messages")
        folder.mkdir(exist_ok=True)
        options[name] = str(folder)
    with Connection(broker.register(), transport_options=options) as made:
        yield made


def test_a_message_goes_through_the_files(connection):
    with connection.SimpleQueue("work") as queue:
        queue.put({"task": 1})
        message = queue.get(timeout=5)
        message.ack()
    assert message.payload == {"task": 1}


def test_a_message_is_seen_only_when_it_is_whole(connection, tmp_path: Path, monkeypatch):
    folder, seen = tmp_path / "messages", []
    replace = os.replace

    def look(hidden, shown):
        seen.extend([list(folder.glob("[!.]*")), hidden.stat().st_size > 0])
        replace(hidden, shown)

    monkeypatch.setattr(os, "replace", look)
    with connection.SimpleQueue("whole") as queue:
        queue.put({"task": 1})
        message = queue.get(timeout=5)
        message.ack()
    assert seen == [[], True]
    assert message.payload == {"task": 1}


def test_a_damaged_message_is_dropped_and_the_next_one_taken(connection, tmp_path: Path):
    (tmp_path / "messages" / "0_damaged.next.msg").touch()
    with connection.SimpleQueue("next") as queue:
        queue.put({"task": 2})
        message = queue.get(timeout=5)
        message.ack()
    assert message.payload == {"task": 2}


def test_a_wait_without_messages_ends_long_before_what_the_caller_allows(connection):
    with connection.Consumer(queues=[], callbacks=[lambda *_: None]):
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            connection.drain_events(timeout=60)
        assert time.monotonic() - began < 30
