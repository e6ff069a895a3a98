"""Every port is tried before anything is started."""

import os
import socket
from collections.abc import Iterator

import pytest

from appliance.fleet.launcher.ports import Door, complaints


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_free_ports_are_no_matter_for_complaint() -> None:
    assert complaints([Door("web", "127.0.0.1", 0)]) == []


@pytest.mark.parametrize("address", ["127.0.0.1", "*", "0.0.0.0"])
def test_a_taken_port_is_named_with_the_variable_that_changes_it(address: str, taken: int) -> None:
    (said,) = complaints([Door("Server block imap", address, taken, "POSTROAD_IMAP_PORT")])
    assert said.startswith(f"Server block imap: {address}:{taken} is in use by another program.")
    assert "POSTROAD_IMAP_PORT=" in said


def test_a_taken_port_of_the_admin_s_is_said_to_be_changed_there(taken: int) -> None:
    (said,) = complaints([Door("Server block own", "127.0.0.1", taken)])
    assert "change the listener in the admin" in said


def test_all_complaints_come_at_once(taken: int) -> None:
    doors = [Door(name, "127.0.0.1", taken, "V") for name in ("a", "b")]
    said = complaints([*doors, Door("c", "192.0.2.1", 1143, "V"), Door("d", "no address", 1, "V")])
    assert len(said) == 4
    assert "b and a both want" in said[1]
    assert "is no address of this machine" in said[2]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may listen on every port")
def test_a_privileged_port_is_said_to_be_one() -> None:
    (said,) = complaints([Door("imap", "127.0.0.1", 143, "V")])
    assert "privilege" in said


def test_a_wildcard_is_reached_by_loopback() -> None:
    assert Door("", "*", 1).reach == ("127.0.0.1", 1)
    assert Door("", "::", 1).reach == ("::1", 1)
    assert Door("", "::1", 25).shown == "[::1]:25"
