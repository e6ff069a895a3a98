"""Only a node with a token that is valid now may speak to the appliance."""

import contextlib
import json
import time
from collections.abc import Generator

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from proxycore.contract.messages import Hello, to_frame
from tests.support.appliance import Appliance, EnrolledNode

_CLOSED_WITHIN_S = 5.0
_REVOKED = 4403


@pytest.fixture
def node(appliance: Appliance) -> Generator[EnrolledNode, None, None]:
    enrolled = appliance.enrol("stranger")
    yield enrolled
    appliance.forget_node("stranger")


def _connect(appliance: Appliance, token: str) -> ClientConnection:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return connect(appliance.link_url, additional_headers=headers, proxy=None, open_timeout=10)


def _hello() -> str:
    return json.dumps(to_frame(Hello(version="0", boot_id="b", hostname="h", workers=1)))


@pytest.mark.parametrize("token", ["", "nonsense", "A" * 43])
def test_a_stranger_is_refused_in_the_handshake(appliance: Appliance, token: str) -> None:
    with pytest.raises(InvalidStatus) as caught:
        _connect(appliance, token)
    assert caught.value.response.status_code == 403


def test_an_enrolled_node_is_given_the_active_revision(
    appliance: Appliance, node: EnrolledNode
) -> None:
    with _connect(appliance, node.token) as socket:
        socket.send(_hello())
        assert '"type":"apply"' in str(socket.recv(timeout=5)).replace(" ", "")


def test_a_revoked_node_is_disconnected_within_five_seconds(
    appliance: Appliance, node: EnrolledNode
) -> None:
    with _connect(appliance, node.token) as socket:
        socket.send(_hello())
        socket.recv(timeout=5)
        appliance.revoke_node(node.name)
        revoked_at = time.monotonic()
        with contextlib.suppress(ConnectionClosed):
            while True:
                socket.recv(timeout=_CLOSED_WITHIN_S)
        assert time.monotonic() - revoked_at < _CLOSED_WITHIN_S
        assert socket.close_code == _REVOKED


def test_a_revoked_token_opens_nothing_any_more(appliance: Appliance, node: EnrolledNode) -> None:
    appliance.revoke_node(node.name)
    with pytest.raises(InvalidStatus) as caught:
        _connect(appliance, node.token)
    assert caught.value.response.status_code == 403


def test_a_token_is_not_in_the_database(appliance: Appliance, node: EnrolledNode) -> None:
    assert node.token not in appliance.database_dump()
