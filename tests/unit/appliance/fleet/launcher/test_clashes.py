"""What the appliance listens on itself must not be in the way of mail listeners."""

import pytest

from appliance.fleet.launcher.ports import Door, clashes, complaints

_WEB = Door("The web interface", "127.0.0.1", 8000, "POSTROAD_HTTP_PORT", "POSTROAD_HTTP_ADDRESS")


@pytest.mark.parametrize("address", ["*", "127.0.0.1", "0.0.0.0"])
def test_a_mail_listener_on_the_admin_s_port_is_a_clash(address: str) -> None:
    (said,) = clashes([_WEB], [Door("Server block own", address, 8000)])
    assert said.startswith("The web interface (127.0.0.1:8000) is in the way of Server block own")
    assert "POSTROAD_HTTP_PORT=9000" in said


@pytest.mark.parametrize(("address", "port"), [("127.0.0.2", 8000), ("::", 8000), ("*", 8001)])
def test_what_can_be_side_by_side_is_no_clash(address: str, port: int) -> None:
    assert clashes([_WEB], [Door("Server block own", address, port)]) == []


def test_a_name_nobody_knows_is_to_be_cured_by_the_address() -> None:
    door = Door("web", "no.such.host.invalid", 8000, "POSTROAD_HTTP_PORT", "POSTROAD_HTTP_ADDRESS")
    (said,) = complaints([door])
    assert "is no address. Choose another address: POSTROAD_HTTP_ADDRESS=" in said
