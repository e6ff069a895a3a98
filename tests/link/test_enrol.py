"""``python -m proxycore enrol`` against the appliance's own page, then the node runs with that."""

import os
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.link.conftest import ManagedNode
from tests.link.test_real_consumer import Consumer
from tests.support.wait import eventually

_MAKE = """
from appliance.fleet.services import enrolment
print(enrolment.create("by-code", 60, None)[1].reveal())
"""


@pytest.fixture(scope="module")
def consumer() -> Generator[Consumer, None, None]:
    appliance = Consumer()
    appliance.prepare()
    with appliance:
        yield appliance


def enrol(consumer: Consumer, code: str, state: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            *(sys.executable, "-m", "proxycore", "enrol", "--control", consumer.url),
            *("--code", "-", "--state-dir", str(state)),
        ],
        cwd=consumer.root,
        input=code + "\n",
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_a_code_makes_a_node_that_connects_and_drains(consumer: Consumer, tmp_path: Path) -> None:
    code = consumer.python(_MAKE).strip()
    with ManagedNode(consumer.url) as node:
        node.stop()
        done = enrol(consumer, code, node.state)
        assert done.returncode == 0, done.stderr
        assert "enrolled as by-code" in done.stderr
        token_file = node.state / "node.token"
        assert token_file.stat().st_mode & 0o777 == 0o600
        assert token_file.read_text().strip() not in done.stdout + done.stderr
        # without --token-file it is found where enrol has left it
        del node._arguments[4:]
        node.start()
        eventually(lambda: consumer.node_is_up_to_date("by-code"), "it runs what is published")
        consumer.python(_DRAIN.format(wanted=True))
        eventually(lambda: consumer.python(_SAYS).split() == ["True"], "it drains")
        assert not node.answers(consumer.front.imap)
        consumer.python(_DRAIN.format(wanted=False))
        eventually(lambda: consumer.python(_SAYS).split() == ["False"], "it does no longer")
        assert node.answers(consumer.front.imap)
    assert enrol(consumer, code, tmp_path / "other").returncode == 1
    assert not (tmp_path / "other" / "node.token").exists()


_DRAIN = """
from appliance.fleet.models import Node
from appliance.fleet.services import nodes
nodes.drain(Node.objects.get(name="by-code"), wanted={wanted})
"""

_SAYS = """
from appliance.fleet.models import Node
print(Node.objects.get(name="by-code").is_draining)
"""


def test_what_is_in_the_way_is_said(consumer: Consumer, tmp_path: Path) -> None:
    refused = enrol(consumer, "AAAAA-AAAAA-AAAAA-AAAAA", tmp_path / "node")
    assert refused.returncode == 1
    assert "This code is unknown, used up or too old." in refused.stderr
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    assert enrol(consumer, "X", blocked / "node").returncode == 1
    assert os.listdir(tmp_path / "node") == []
