"""Which sockets are bound, and who gets the connections of a wildcard."""

from dataclasses import replace

import pytest

from proxycore.contract.binding import Binding, bindings
from proxycore.contract.protocol import Protocol
from proxycore.contract.snapshot import AuthHttp, Listen, Server, Snapshot

ANY = Listen(port=143)
ONE = Listen(address="127.0.0.1", port=143)
ANY6 = Listen(address="::", port=143)
ONE6 = Listen(address="0::1", port=143)
UNIX = Listen(address="unix:/run/imap")


def snapshot(*servers: tuple[Listen, ...]) -> Snapshot:
    return Snapshot(
        servers=tuple(
            Server(
                name=f"s{i}",
                protocol=Protocol.IMAP,
                listens=listens,
                auth_http=AuthHttp(host="127.0.0.1"),
            )
            for i, listens in enumerate(servers)
        )
    )


def covered(binding: Binding) -> dict[str, tuple[int, Listen]]:
    return {ip: (one.server, one.listen) for ip, one in binding.covered.items()}


def test_sockets_that_share_no_port_are_all_bound() -> None:
    bound = bindings(snapshot((ANY, UNIX), (Listen(address="127.0.0.1", port=110),)))
    assert {key: (one.server, one.path) for key, one in bound.items()} == {
        "*:143": (0, "servers[0].listens[0]"),
        "unix:/run/imap": (0, "servers[0].listens[1]"),
        "127.0.0.1:110": (1, "servers[1].listens[0]"),
    }
    assert all(one.covered == {} for one in bound.values())


@pytest.mark.parametrize("order", [(ANY, ONE), (ONE, ANY)])
def test_a_wildcard_serves_an_address_on_its_port(order: tuple[Listen, ...]) -> None:
    bound = bindings(snapshot(*((listen,) for listen in order)))
    assert list(bound) == ["*:143"]
    assert covered(bound["*:143"]) == {"127.0.0.1": (order.index(ONE), ONE)}


def test_families_are_apart() -> None:
    assert set(bindings(snapshot((ANY, ONE6)))) == {"*:143", "[::1]:143"}
    bound = bindings(snapshot((ANY6,), (ONE6,)))
    assert covered(bound["[::]:143"]) == {"::1": (1, ONE6)}


@pytest.mark.parametrize(
    "option",
    [
        {"bind": True},
        {"backlog": 5},
        {"rcvbuf_bytes": 8192},
        {"so_keepalive": "on"},
        {"multipath": True},
    ],
)
def test_bind_and_whatever_implies_it_gets_a_socket_of_its_own(option: dict[str, object]) -> None:
    apart = replace(ONE, **option)  # type: ignore[arg-type]
    assert set(bindings(snapshot((ANY,), (apart,)))) == {"*:143", "127.0.0.1:143"}


def test_a_proxy_header_alone_does_not() -> None:
    expects = replace(ONE, proxy_protocol=True)
    bound = bindings(snapshot((ANY,), (expects,)))
    assert covered(bound["*:143"]) == {"127.0.0.1": (1, expects)}
