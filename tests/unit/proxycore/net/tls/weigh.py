"""Weigh connections of one kind: growth of this process's private dirty memory, by their number.

One kind for each process: what one kind has freed, the next would fill without growth.
"""

import gc
import sys
from collections.abc import Callable
from pathlib import Path

from tests.unit.proxycore.net.tls.client import Client, client_context
from tests.unit.proxycore.net.tls.ends import back_context, back_end, front_context, front_end, join


def dirty_bytes() -> int:
    for line in Path("/proc/self/smaps_rollup").read_text().splitlines():
        if line.startswith("Private_Dirty"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("this kernel does not tell")


def weigh(count: int, make: Callable[[], object]) -> float:
    warm = [make() for _ in range(50)]
    del warm
    gc.collect()
    before, kept = dirty_bytes(), [make() for _ in range(count)]
    gc.collect()
    assert len(kept) == count
    return (dirty_bytes() - before) / count


def main(kind: str, count: int) -> None:
    context, client, policy = front_context(), client_context(), back_context()

    def front() -> object:
        end, peer = front_end(context), Client(context=client)
        peer.join(end)
        end.feed(peer.send(b"a LOGIN joe secret\r\n"))
        peer.hear(end, b"x" * 16_384)
        return end

    def back() -> object:
        end, peer = back_end(policy), front_end(context)
        join(peer, end)
        peer.feed(end.write(b"a LOGIN joe secret\r\n"))
        end.feed(peer.write(b"x" * 16_384))
        return end

    def half_open() -> object:
        end = front_end(context)
        end.feed(Client(context=client).feed(b"")[1])
        return end

    def silent() -> object:
        return front_end(context)

    kinds = {"silent": silent, "half open": half_open, "front": front, "back": back}
    print(f"{kind:10} {weigh(count, kinds[kind]):8.0f} bytes each")


main(sys.argv[1], int(sys.argv[2]))
