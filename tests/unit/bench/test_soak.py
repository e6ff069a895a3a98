"""What the soak and the scale test take for a leak."""

import contextlib
import random
import socket

import pytest

from tests.bench.scale import Check
from tests.bench.soak import State, left_over, uncounted
from tests.bench.visitors import Fault, RudeServer, Visit

BEFORE = State(files=20, pipes=3, pss_bytes=40_000_000, wakeups_per_s=1.0)


def test_what_may_stay_is_no_leak():
    after = State(files=52, pipes=19, pss_bytes=42_000_000, wakeups_per_s=1.4)
    assert left_over(BEFORE, after) == []


@pytest.mark.parametrize(
    ("after", "what"),
    [
        (State(53, 3, 40_000_000, 1.0), "33 descriptors more than before"),
        (State(20, 36, 40_000_000, 1.0), "33 ends of pipes more than before"),
        (State(20, 3, 45_000_000, 1.0), "5.0 MB more than before"),
        (State(20, 3, 40_000_000, 10.0), "timers: 10.0 wake-ups per second while idle"),
    ],
)
def test_what_is_left_over_is_named(after, what):
    assert left_over(BEFORE, after) == [what]


def test_sessions_have_to_be_counted_at_both_ends():
    totals = {
        "sessions_accepted{server=imap}": 5,
        "sessions_closed{server=imap,reason=done}": 2,
        "sessions_closed{server=imap,reason=front_closed}": 3,
        "sessions_accepted{server=pop3}": 1,
        "sessions_relaying": 1,
    }
    assert uncounted(totals) == [
        "pop3: 1 sessions accepted, 0 counted as closed",
        "1 sessions counted as proxied",
    ]


def test_check_without_a_bound_is_kept():
    assert Check("memory", 9e9, "B").is_kept
    assert Check("growth", 2.0, "MB", 2.0).is_kept
    broken = Check("growth", 2.1, "MB", 2.0)
    assert str(broken).endswith("≤ 2      BROKEN")
    assert broken.to_plain()["kept"] is False


def test_visitor_who_is_let_in_nowhere_complains_only_where_it_has_to():
    """A mail server that closes at once stands in for a proxy that loses its sessions."""
    endings = set()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ports = dict.fromkeys(
            ("imap", "pop3", "smtp", "imaps", "pop3s", "smtps"), listener.getsockname()[1]
        )
        for seed in range(60):
            visit = Visit(ports, random.Random(seed))
            listener.accept()[0].close()
            try:
                endings.add((visit.is_let_in, visit.make().split()[0]))
            except Fault:
                endings.add((visit.is_let_in, "fault"))
    assert (True, "fault") in endings
    assert (False, "fault") not in endings
    assert {word for _, word in endings} >= {"left", "fault"}


def test_rude_server_ends_when_it_is_closed():
    with contextlib.closing(RudeServer(1)) as server:
        for _ in range(5):
            # it may hang up before the connection is made
            with (
                contextlib.suppress(ConnectionError),
                socket.create_connection(("127.0.0.1", server.port), 5) as client,
            ):
                client.settimeout(5)
                while client.recv(65_536):
                    client.sendall(b"a1 LOGIN x y\r\n")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port), 5)
