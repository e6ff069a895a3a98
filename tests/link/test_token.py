"""Who is let in, and what a node says and does when it is not."""

import pytest

from proxycore.contract.messages import Ack, Hello
from tests.link.conftest import ManagedNode, snapshot
from tests.link.station import Station
from tests.support.ports import free_port
from tests.support.wait import eventually
from tests.unit.proxycore.daemon.serve import serves


def test_an_unknown_token_is_said_once_and_tried_again_slowly(station: Station) -> None:
    station.token = "another"
    with ManagedNode(station.url) as node:
        assert node.log_contains("the appliance refused this node's token (HTTP 403)")
        station.token = "n0de-token"
        station.conversation(0, within_s=6).wait_for(Hello)
        assert station.refused == 1
        assert node.log().count("refused") == 1


def test_a_token_revoked_later_ends_the_link_and_not_the_service(
    station: Station, node: ManagedNode
) -> None:
    port, link = free_port(), station.conversation()
    link.apply(1, snapshot(node, port))
    link.wait_for(Ack)
    station.token = "another"
    link.socket.close(4403, "token revoked")
    assert node.log_contains("the appliance has revoked this node's token")
    eventually(lambda: station.refused, "it tries again", within_s=6)
    assert serves(port)
    assert "n0de-token" not in node.log()


def test_a_token_others_can_read_is_warned_about(station: Station) -> None:
    node = ManagedNode(station.url)
    node.write_token("n0de-token", mode=0o644)
    with node:
        station.conversation().wait_for(Hello)
        assert "can be read by others (mode 0644)" in node.log()


def test_without_a_token_file_it_does_not_start(station: Station) -> None:
    node = ManagedNode(station.url)
    node.token_file.unlink()
    try:
        node.launch_only()
        assert node.ended(10) == 1
        assert "No such file or directory" in node.log()
    finally:
        node.close()


def test_a_web_server_that_is_no_appliance_is_told_apart(station: Station) -> None:
    node = ManagedNode(f"{station.url}/elsewhere")
    with node:
        assert node.log_contains("answered HTTP 404")


@pytest.mark.parametrize("where", ["https://{host}/ws/node/", "http://{host}/elsewhere"])
def test_a_redirect_is_not_followed_and_does_not_end_the_trying(
    station: Station, where: str
) -> None:
    station.redirect = where.format(host=f"127.0.0.1:{station.port}")
    with ManagedNode(station.url) as node:
        assert node.log_contains("answered HTTP 301")
        station.redirect = ""
        station.conversation(within_s=8).wait_for(Hello)


def test_a_token_that_was_replaced_in_its_file_is_taken_without_a_restart(
    station: Station, node: ManagedNode
) -> None:
    station.conversation().wait_for(Hello)
    station.token = "an0ther-token"
    node.write_token("an0ther-token")
    station.conversations[0].socket.close(4403, "token revoked")
    station.conversation(1, within_s=3).wait_for(Hello)
    assert node.log_contains("the token file holds another token now")
    assert "0ther-token" not in node.log()
