"""Nothing a peer sends raises, nor makes one connection speak in another."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxycore.net.tls import exchange
from proxycore.net.tls.endpoint import Endpoint, Phase
from proxycore.net.tls.libssl import crypto
from tests.unit.proxycore.net.tls.client import Client
from tests.unit.proxycore.net.tls.ends import back_context, back_end, front_context, front_end, join

FRONT, BACK = front_context(), back_context(proxy_ssl_session_reuse=False)


def check(*ends: Endpoint) -> None:
    assert exchange.current is None
    assert crypto.BIO_ctrl_pending(exchange.inward) == 0
    assert crypto.BIO_ctrl_pending(exchange.outward) == 0
    for end in ends:
        assert (end.failure is not None) is (end.phase is Phase.FAILED)


DAMAGE = st.tuples(
    st.integers(0, 3), st.integers(0, 10_000), st.integers(1, 255), st.binary(max_size=50)
)
"""Drawn before it is known what will be damaged: handshakes are never the same twice."""


def damaged(octets: bytes, damage: tuple[int, int, int, bytes]) -> bytes:
    """Flip, cut, double or insert something."""
    way, place, flip, junk = damage
    at = place % len(octets)
    if way == 0:
        return octets[:at] + bytes((octets[at] ^ flip,)) + octets[at + 1 :]
    if way == 1:
        return octets[:at]
    return octets + octets[at:] if way == 2 else octets[:at] + junk + octets[at:]


@given(st.lists(st.binary(max_size=300), max_size=6))
def test_any_octets_to_a_new_connection(parts: list[bytes]) -> None:
    for end in (front_end(FRONT), back_end(BACK)):
        assert [end.feed(part) for part in parts] == [b""] * len(parts)
        end.close()
        check(end)


@given(st.binary(max_size=300))
def test_any_octets_behind_a_hello(octets: bytes) -> None:
    front = front_end(FRONT)
    front.feed(Client().feed(b"")[1] + octets)
    check(front)


@given(st.integers(0, 4), DAMAGE)
def test_a_handshake_damaged_anywhere(wrong: int, damage: tuple[int, int, int, bytes]) -> None:
    front, back = front_end(FRONT), back_end(BACK)
    ends: tuple[Endpoint, Endpoint] = (front, back)
    moving = back.start()
    for step in range(10):
        if moving and step == wrong:
            moving = damaged(moving, damage)
        end = ends[step % 2]
        assert end.feed(moving) == b""
        check(front, back)
        moving = end.take()


@given(st.binary(min_size=1, max_size=2_000), DAMAGE)
def test_octets_damaged_behind_the_handshake(
    said: bytes, damage: tuple[int, int, int, bytes]
) -> None:
    front, back = front_end(FRONT), back_end(BACK)
    join(front, back)
    # a record that was doubled is a fault after the good one
    assert front.feed(damaged(back.write(said), damage)) in (b"", said)
    front.feed(back.write(b"more"))
    check(front, back)
    front.take()
    assert (front.write(b"x") == b"") is (front.phase is Phase.FAILED)


@given(st.lists(st.tuples(st.sampled_from("fbFB"), st.binary(max_size=40_000)), max_size=8))
def test_whatever_is_said_arrives_in_order(said: list[tuple[str, bytes]]) -> None:
    front, back = front_end(FRONT), back_end(BACK)
    join(front, back)
    for who, octets in said:
        sender, receiver = (front, back) if who in "fF" else (back, front)
        record = sender.write(octets)
        cut = len(record) // 2 if who.isupper() else 0
        assert receiver.feed(record[:cut]) + receiver.feed(record[cut:]) == octets
        check(front, back)


def test_a_bug_in_a_callback_comes_out_where_the_operation_was_begun(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    back, front = back_end(BACK), front_end(front_context())

    def broken(*_: object) -> int:
        raise RuntimeError("ours")

    monkeypatch.setattr(type(back), "judge", broken)
    front.feed(back.start())
    with pytest.raises(RuntimeError, match="ours"):
        back.feed(front.take())
    assert exchange.current is None
    joined = front_end(FRONT), Client()
    joined[1].join(joined[0])
    assert joined[0].phase is Phase.OPEN
