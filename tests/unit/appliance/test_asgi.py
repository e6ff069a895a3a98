"""The appliance put together: who answers what."""

from collections.abc import Iterator

import pytest
from asgiref.sync import async_to_sync
from channels.testing import HttpCommunicator

from appliance.asgi import application, auth_http
from appliance.fleet.services import nodes
from tests.support.wait import eventually

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def connections_closed() -> Iterator[None]:
    yield
    auth_http.disconnect()


def _get(path: str, *headers: tuple[bytes, bytes]) -> int:
    async def ask() -> int:
        communicator = HttpCommunicator(application, "GET", path, headers=list(headers))
        status: int = (await communicator.get_response(timeout=10))["status"]
        await communicator.wait()
        return status

    return async_to_sync(ask)()


def test_a_nodes_token_opens_the_auth_service_until_it_is_revoked() -> None:
    node, token = nodes.enrol("edge-1")
    proof = (b"x-postroad-node-token", token.reveal().encode())
    assert _get("/auth_http", proof) == 200
    nodes.revoke(node)
    # a good token is recognised for a moment without a look-up; 5 s are promised
    eventually(lambda: _get("/auth_http", proof) == 403, "the token is refused", within_s=5)


def test_the_auth_service_needs_no_known_host_name_and_the_pages_do() -> None:
    host = (b"host", b"elsewhere.example")
    assert _get("/auth_http", host) == 403
    assert _get("/admin/login/", host) == 400
    assert _get("/admin/login/", (b"host", b"localhost")) == 200
