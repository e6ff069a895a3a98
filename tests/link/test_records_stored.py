"""Records as the appliance's own consumer takes them: stored once, acknowledged when committed.

The tests here are the node. A second connection to the same database plays whoever holds it.
"""

import json
import sqlite3
import threading
from collections.abc import Generator
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from proxycore.contract.messages import (
    Hello,
    Message,
    Records,
    RecordsTaken,
    from_frame,
    to_frame,
)
from tests.link.conftest import ManagedNode
from tests.link.test_real_consumer import Consumer
from tests.support.wait import eventually
from tests.unit.appliance.history.wire import batch, failed, session
from tests.unit.proxycore.daemon.serve import Imap

_NODE = "recorded"

_COUNT = """
from appliance.history.models import SessionRecord
print(SessionRecord.objects.filter(session__startswith=PREFIX).count())
"""


class Link:
    """A node's end, by hand."""

    def __init__(self, consumer: Consumer, token: str) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        self._connecting = connect(
            consumer.link_url, additional_headers=headers, proxy=None, open_timeout=10
        )
        self.taken: list[int] = []

    def say(self, message: Message) -> None:
        self.socket.send(json.dumps(to_frame(message)))

    def _read(self) -> None:
        try:
            for frame in self.socket:
                message: Any = from_frame(json.loads(frame))
                if isinstance(message, RecordsTaken):
                    self.taken.append(message.number)
        except ConnectionClosed:
            pass

    def __enter__(self) -> "Link":
        self.socket = self._connecting.__enter__()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        self.say(Hello(version="1", boot_id="b00t", hostname="h", workers=1))
        return self

    def __exit__(self, *exc: Any) -> None:
        self._connecting.__exit__(*exc)
        self._reader.join()


@pytest.fixture(scope="module")
def consumer() -> Generator[Consumer, None, None]:
    appliance = Consumer()
    appliance.prepare()
    with appliance:
        yield appliance


@pytest.fixture
def token(consumer: Consumer) -> Generator[str, None, None]:
    yield consumer.enrol(_NODE).token
    consumer.forget_node(_NODE)


def told(prefix: str, *numbers: int, of: int = 1) -> Records:
    records = [{**session(n), "session": f"{prefix}.{n}"} for n in numbers]
    logins = tuple({**failed(n), "session": f"{prefix}.{n}"} for n in numbers)
    return batch(*records, logins=logins, number=of)


def stored(consumer: Consumer, prefix: str) -> int:
    return int(consumer.python(f"PREFIX = {prefix!r}\n{_COUNT}"))


def test_batches_are_stored_once_over_repetitions_and_connections(
    consumer: Consumer, token: str
) -> None:
    one, two = told("once", 1, 2), told("once", 3, 4, of=2)
    with Link(consumer, token) as link:
        for message in (two, one, two):
            link.say(message)
        eventually(lambda: link.taken == [2, 1, 2], "all are acknowledged, in order")
        assert stored(consumer, "once") == 8
    with Link(consumer, token) as link:
        link.say(one)
        eventually(lambda: link.taken == [1], "it is acknowledged again")
    assert stored(consumer, "once") == 8


def test_nothing_is_acknowledged_before_it_is_committed(consumer: Consumer, token: str) -> None:
    with Link(consumer, token) as link:
        holding = sqlite3.connect(consumer.state / "db.sqlite3", isolation_level=None)
        try:
            holding.execute("BEGIN IMMEDIATE")
            link.say(told("held", 1))
            assert link.taken == []
            holding.execute("COMMIT")
            eventually(lambda: link.taken == [1], "it is acknowledged")
        finally:
            holding.close()
    assert stored(consumer, "held") == 2


def test_a_farewell_of_many_batches_is_stored_in_order(consumer: Consumer, token: str) -> None:
    with Link(consumer, token) as link:
        for number in range(1, 21):
            link.say(told("flood", *range(number * 100, number * 100 + 100), of=number))
        eventually(lambda: len(link.taken) == 20, "all are stored", within_s=30)
        assert link.taken == list(range(1, 21))
    assert stored(consumer, "flood") == 4000


def test_what_is_no_record_does_not_stop_the_others(consumer: Consumer, token: str) -> None:
    bad = batch({"session": 7}, {**session(1), "session": "good.1"}, {}, logins=({"x": None},))
    with Link(consumer, token) as link:
        link.say(bad)
        eventually(lambda: link.taken == [1], "it is acknowledged, or it would come for ever")
    assert stored(consumer, "good") == 1


def test_a_revoked_node_stores_nothing(consumer: Consumer, token: str) -> None:
    with Link(consumer, token) as link:
        link.say(told("before", 1))
        eventually(lambda: link.taken == [1], "it is acknowledged")
        consumer.revoke_node(_NODE)
        link.say(told("after", 1, of=2))
        eventually(lambda: link.socket.close_code == 4403, "the connection is closed")
        assert link.taken == [1]
    assert stored(consumer, "after") == 0


def test_sessions_of_a_real_node_are_stored_with_what_it_says_at_its_end(
    consumer: Consumer, token: str
) -> None:
    with ManagedNode(consumer.url) as daemon:
        daemon.write_token(token)
        eventually(lambda: consumer.node_is_up_to_date(_NODE), "it runs what is published")
        count = "from appliance.history.models import SessionRecord\n"
        count += "print(SessionRecord.objects.filter(reason='client_closed').count())"
        with Imap(consumer.front.imap):
            pass
        eventually(lambda: consumer.python(count).strip() == "1", "the visit is stored")
