"""The auth view answers whoever proves himself, and tells a stranger nothing."""

import http.client
from collections.abc import Mapping
from dataclasses import replace

import pytest

from proxycore.contract.authhttp import NODE_TOKEN_HEADER, AuthRequest, render_request_headers
from proxycore.contract.protocol import Protocol
from tests.support import cast
from tests.support.appliance import Appliance, EnrolledNode

_GOOD = AuthRequest(
    protocol=Protocol.IMAP,
    method="plain",
    login=cast.ALICE.encode(),
    password=cast.PASSWORDS[cast.ALICE].encode(),
    attempt=1,
    client_ip="192.0.2.1",
)


def _ask(
    appliance: Appliance, proof: Mapping[str, str], request: AuthRequest = _GOOD
) -> tuple[int, dict[str, str]]:
    """Ask; gives the status and the Auth- headers of the answer."""
    headers = render_request_headers(request).decode("latin-1").splitlines()
    connection = http.client.HTTPConnection("127.0.0.1", appliance.http_port, timeout=10)
    try:
        connection.putrequest("GET", "/auth_http", skip_accept_encoding=True)
        for line in headers:
            connection.putheader(*line.split(": ", 1))
        for name, value in proof.items():
            connection.putheader(name, value)
        connection.endheaders()
        response = connection.getresponse()
        response.read()
        found = {k: v for k, v in response.getheaders() if k.lower().startswith("auth-")}
        return response.status, found
    finally:
        connection.close()


@pytest.fixture(scope="module")
def node(appliance: Appliance) -> EnrolledNode:
    return appliance.enrol("asker")


@pytest.mark.parametrize(
    "proof",
    [
        {},
        {NODE_TOKEN_HEADER: ""},
        {NODE_TOKEN_HEADER: "A" * 43},
        {"X-NGX-Auth-Key": ""},
        {"X-NGX-Auth-Key": "guess"},
        {"Authorization": "Bearer guess"},
    ],
    ids=["nothing", "empty token", "unknown token", "empty secret", "wrong secret", "bearer"],
)
def test_a_stranger_with_a_right_password_gets_403_and_no_verdict(
    appliance: Appliance, proof: Mapping[str, str]
) -> None:
    assert _ask(appliance, proof) == (403, {})


def test_a_node_is_told_where_the_user_goes(appliance: Appliance, node: EnrolledNode) -> None:
    status, answer = _ask(appliance, {NODE_TOKEN_HEADER: node.token})
    assert (status, answer["Auth-Status"], answer["Auth-Server"]) == (200, "OK", "127.0.0.1")


def test_a_nodes_token_in_another_header_is_worth_nothing(
    appliance: Appliance, node: EnrolledNode
) -> None:
    assert _ask(appliance, {"X-NGX-Auth-Key": node.token}) == (403, {})


def test_a_wrong_password_is_refused_with_a_pause(appliance: Appliance, node: EnrolledNode) -> None:
    wrong = replace(_GOOD, password=b"wrong")
    status, answer = _ask(appliance, {NODE_TOKEN_HEADER: node.token}, wrong)
    assert status == 200
    assert answer == {"Auth-Status": "Invalid login or password", "Auth-Wait": "1"}


def test_a_revoked_node_becomes_a_stranger(appliance: Appliance) -> None:
    revoked = appliance.enrol("soon revoked")
    appliance.revoke_node(revoked.name)
    assert _ask(appliance, {NODE_TOKEN_HEADER: revoked.token}) == (403, {})


@pytest.mark.parametrize("octet", [0, 1, 9, 0x80, 0xE9, 0xFF])
def test_any_octet_in_login_and_password_gets_a_clean_refusal(
    appliance: Appliance, node: EnrolledNode, octet: int
) -> None:
    strange = bytes([octet])
    request = replace(_GOOD, login=cast.ALICE.encode() + strange, password=strange)
    status, answer = _ask(appliance, {NODE_TOKEN_HEADER: node.token}, request)
    assert status == 200
    assert "Auth-Status" in answer
