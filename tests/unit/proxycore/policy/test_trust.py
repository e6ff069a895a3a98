"""Whose word about a client's address is taken."""

import pytest

from proxycore.policy.trust import TrustedPeers, real_address


@pytest.mark.parametrize(
    ("sources", "peer", "trusted"),
    [
        ((), "127.0.0.1", False),
        ((), "unix:", False),
        (("127.0.0.1",), "127.0.0.1", True),
        (("127.0.0.1",), "127.0.0.2", False),
        (("10.0.0.0/8",), "10.255.0.1", True),
        (("10.0.0.0/8",), "11.0.0.1", False),
        (("10.0.0.0/8",), "::ffff:10.0.0.1", True),
        (("10.0.0.0/8",), "2001:db8::1", False),
        (("2001:db8::/32",), "2001:db8::1", True),
        (("unix:",), "unix:", True),
        (("unix:",), "127.0.0.1", False),
        (("0.0.0.0/0",), "unix:", False),
    ],
)
def test_who_is_believed(sources: tuple[str, ...], peer: str, trusted: bool) -> None:
    assert (peer in TrustedPeers(sources)) is trusted


@pytest.mark.parametrize(
    ("claimed", "address"),
    [
        ("192.0.2.1", ("192.0.2.1", 5)),
        ("2001:DB8:0::1", ("2001:db8::1", 5)),
        ("999.0.2.7", None),
        ("", None),
    ],
)
def test_what_is_an_address(claimed: str, address: tuple[str, int] | None) -> None:
    assert real_address(claimed, 5) == address
