"""What a flood of connections leaves behind goes back to the system."""

from pathlib import Path

import pytest
from cffi import FFI

from proxycore.net.tls.heap import WORTH_IT, Heap
from tests.unit.proxycore.net.house import House
from tests.unit.proxycore.net.tls.house import client_of, serve


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def test_memory_between_what_lives_on_is_given_back() -> None:
    ffi = FFI()
    ffi.cdef("void *malloc(size_t); void free(void *); void *memset(void *, int, size_t);")
    libc = ffi.dlopen(None)
    blocks = [libc.memset(libc.malloc(4_000), 1, 4_000) for _ in range(20_000)]
    last = libc.malloc(4_000)
    for block in blocks:
        libc.free(block)
    heap = Heap()
    heap.look(WORTH_IT)
    before = resident_bytes()
    assert heap.look(0)
    assert before - resident_bytes() > 60_000_000
    libc.free(last)


@pytest.mark.parametrize(
    ("counts", "looked"),
    [
        ((WORTH_IT, WORTH_IT // 2), [False, True]),
        ((WORTH_IT, WORTH_IT // 2 + 1), [False, False]),
        ((WORTH_IT - 1, 0), [False, False]),
        # what is left is the next peak
        ((4 * WORTH_IT, 2 * WORTH_IT, WORTH_IT + 1, WORTH_IT, 0), [False, True, False, True, True]),
    ],
)
def test_it_is_looked_for_when_half_of_a_peak_has_gone(
    counts: tuple[int, ...], looked: list[bool]
) -> None:
    heap = Heap()
    assert [heap.look(count) for count in counts] == looked


def test_a_worker_that_speaks_tls_looks_now_and_then(house: House) -> None:
    looks: list[int] = []

    class Seen(Heap):
        def look(self, connections: int) -> bool:
            looks.append(connections)
            return super().look(connections)

    serve(house, implicit=True, proxy_timeout_ms=1_000)
    assert isinstance(house.engine._heap, Heap)
    house.engine._heap = Seen()
    client_of(house).shake()
    house.pump(lambda: looks and looks[-1] == 1, "a look with one session")
