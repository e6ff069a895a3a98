"""The cache in shared memory: it forgets, and it never gives what is not whole."""

import mmap
import os
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxycore.net.tls.zone import CELL_BYTES, Zone


def identity(number: int) -> bytes:
    return number.to_bytes(32)


@pytest.mark.parametrize("size", [0, 1, 150, 205, 206, 1_000, 4_000])
def test_what_is_stored_is_found(size: int) -> None:
    zone = Zone(bytearray(65_536))
    assert zone.store(identity(1), b"s" * size)
    assert zone.find(identity(1)) == b"s" * size
    assert zone.find(identity(2)) is None


def test_what_is_forgotten_is_not() -> None:
    zone = Zone(bytearray(65_536))
    zone.store(identity(1), b"one")
    zone.store(identity(2), b"two")
    zone.forget(identity(1))
    zone.forget(identity(3))
    assert zone.find(identity(1)) is None
    assert zone.find(identity(2)) == b"two"


def test_what_is_too_large_is_not_stored() -> None:
    assert not Zone(bytearray(65_536)).store(identity(1), b"s" * 16 * CELL_BYTES)
    assert not Zone(bytearray(CELL_BYTES)).store(identity(1), b"s" * CELL_BYTES)


def test_processes_see_each_other_s_sessions() -> None:
    fd = os.memfd_create("zone")
    os.ftruncate(fd, 65_536)
    with mmap.mmap(fd, 65_536) as ours, mmap.mmap(fd, 65_536) as theirs:
        os.close(fd)
        first, second = Zone(ours), Zone(theirs)
        first.store(identity(1), b"one")
        assert second.find(identity(1)) == b"one"
        second.forget(identity(1))
        assert first.find(identity(1)) is None


def test_a_full_cache_keeps_most_of_the_newest() -> None:
    zone = Zone(bytearray(1_048_576))
    for number in range(20_000):
        zone.store(identity(number), b"session %d" % number)
    newest = range(18_000, 20_000)
    found = [number for number in newest if zone.find(identity(number)) is not None]
    assert len(found) > 1_200
    assert all(zone.find(identity(n)) == b"session %d" % n for n in found)


@given(st.integers(0, 2**32))
def test_a_record_written_over_is_not_there(seed: int) -> None:
    chance = random.Random(seed)
    memory = bytearray(8 * CELL_BYTES)
    zone = Zone(memory)
    kept: dict[bytes, bytes] = {}
    for number in range(40):
        session = chance.randbytes(chance.randrange(900))
        zone.store(identity(number), session)
        kept[identity(number)] = session
        if chance.random() < 0.3:
            memory[chance.randrange(len(memory))] ^= 1 << chance.randrange(8)
        for key, value in kept.items():
            assert zone.find(key) in (None, value)
