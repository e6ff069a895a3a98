"""What happens to sockets when one snapshot follows another."""

from typing import Any

import pytest

from proxycore.contract.protocol import Protocol
from proxycore.contract.snapshot import AuthHttp, Listen, Server, Snapshot
from proxycore.daemon.apply import plan


def snapshot(*servers: list[Listen]) -> Snapshot:
    return Snapshot(
        servers=tuple(
            Server(
                name=f"s{i}",
                protocol=Protocol.IMAP,
                listens=tuple(listens),
                auth_http=AuthHttp(host="127.0.0.1"),
            )
            for i, listens in enumerate(servers)
        )
    )


A = Listen(address="127.0.0.1", port=1143)
B = Listen(address="127.0.0.1", port=1110)
ANY = Listen(port=1143)
UNIX = Listen(address="unix:/run/imap")
LONGER = Listen(address="127.0.0.1", port=1143, backlog=10_000)


@pytest.mark.parametrize(
    ("old", "new", "opened", "closed", "kept", "changed"),
    [
        (None, [[A]], [("127.0.0.1:1143", "servers[0].listens[0]")], [], [], []),
        ([[A]], [[A]], [], [], ["127.0.0.1:1143"], []),
        (
            [[A]],
            [[A], [B, UNIX]],
            [
                ("127.0.0.1:1110", "servers[1].listens[0]"),
                ("unix:/run/imap", "servers[1].listens[1]"),
            ],
            [],
            ["127.0.0.1:1143"],
            [],
        ),
        (
            [[A], [B]],
            [[A], [UNIX]],
            [("unix:/run/imap", "servers[1].listens[0]")],
            ["127.0.0.1:1110"],
            ["127.0.0.1:1143"],
            [],
        ),
        # a socket that moves to another block stays open
        ([[A], [B]], [[B], [A]], [], [], ["127.0.0.1:1110", "127.0.0.1:1143"], []),
        ([[A]], [[LONGER]], [], [], ["127.0.0.1:1143"], [(A, LONGER)]),
        ([[A], [B]], [], [], ["127.0.0.1:1143", "127.0.0.1:1110"], [], []),
        # an address that a wildcard comes to serve gives its socket up
        (
            [[A]],
            [[A], [ANY]],
            [("*:1143", "servers[1].listens[0]")],
            ["127.0.0.1:1143"],
            [],
            [],
        ),
    ],
)
def test_plan(old: Any, new: Any, opened: Any, closed: Any, kept: Any, changed: Any) -> None:
    steps = plan(None if old is None else snapshot(*old), snapshot(*new))
    assert [(o.listen.key, o.path) for o in steps.opened] == opened
    assert list(steps.closed) == closed
    assert list(steps.kept) == kept
    assert list(steps.changed) == changed
