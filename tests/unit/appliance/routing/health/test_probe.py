"""Probes of mail servers that do not answer: bounded, side by side."""

import contextlib
import socket
from collections.abc import Iterator
from time import monotonic

import pytest

from appliance.routing.health import lookup, probe
from appliance.routing.health.probe import Target
from proxycore.contract.protocol import Protocol


@pytest.fixture
def silent() -> Iterator[int]:
    """A door at which nobody ever speaks."""
    with contextlib.closing(socket.create_server(("127.0.0.1", 0), backlog=128)) as listening:
        yield listening.getsockname()[1]


def test_silence_is_waited_for_no_longer_than_said(silent: int) -> None:
    began = monotonic()
    found = probe.probe(Target(1, Protocol.IMAP, "127.0.0.1", silent, "off"), 200)
    assert (found.latency_ms, found.reason) == (None, "no answer within 0.2 s")
    assert monotonic() - began < 3


def test_many_are_asked_side_by_side(silent: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe.probe, "__defaults__", (500,))
    targets = [
        Target(number, Protocol.POP3, "127.0.0.1", silent, "off") for number in range(probe.AT_ONCE)
    ]
    began = monotonic()
    found = probe.probe_all(targets)
    assert {one.target.host for one in found} == set(range(probe.AT_ONCE))
    assert monotonic() - began < 0.5 * probe.AT_ONCE / 2


def test_a_name_is_asked_at_each_of_its_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [(0, 0, 0, "", (f"127.0.0.{number}", 0)) for number in range(1, 20)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: rows)
    (target,) = [Target(1, Protocol.IMAP, "many.example", 1, "off")]
    found = probe.probe_all([target])
    assert len(found) == lookup.MOST_ADDRESSES
    assert {one.target.name for one in found} == {"many.example"}
