"""A fleet that is not there: nodes that speak the control link and report invented sessions.

``python -m tests.bench.fleet_load URL SESSIONS < TOKENS`` connects a node for each token (one per
line, then an empty line), reports SESSIONS for each, and goes on as busy nodes do until its stdin
ends. It says ``told`` once all are reported.

Each second a node reports some ends, as many beginnings and some new counts; the first one also a
session whose user is called ``beacon-`` and the time in ms, by which a page's delay can be seen.
"""

import asyncio
import itertools
import json
import random
import sys
import time
from collections.abc import Iterator
from typing import Final

from websockets.asyncio.client import ClientConnection, connect

from proxycore.contract.messages import (
    HEARTBEAT_S,
    Ack,
    Apply,
    Check,
    Checked,
    CommandResult,
    Drain,
    Heartbeat,
    Hello,
    Invalidate,
    Kick,
    Message,
    Sessions,
    Stats,
    Tickets,
    from_frame,
    to_frame,
)
from proxycore.contract.session import SessionBytes, SessionRecord
from proxycore.contract.stats import LOGINS, series
from proxycore.daemon.registry import PER_FRAME

CHANGED_PER_S: Final = 2
"""Sessions of a node that end each second; as many begin."""
COUNTED_PER_S: Final = 20
"""Sessions of a node in which octets have passed."""
STATS_S: Final = 5
BACKENDS: Final = 40

_TLS: Final = ("TLSv1.3", "TLSv1.3", "TLSv1.2", "")
_PROTOCOLS: Final = (("imap", 143), ("imap", 143), ("pop3", 110), ("smtp", 587))


class Pretender:
    """One node."""

    def __init__(self, number: int, sessions: int) -> None:
        self._number = number
        self._boot_id = f"fleet{number:04}"
        self._serial = itertools.count()
        self._running = Ack(revision=0, digest="")
        self._generation = 0
        self._tickets = 0
        self._draining = False
        self._seq = 0
        self._random = random.Random(number)
        self._live = dict(self._begin() for _ in range(sessions))
        self._beacon = ""

    async def run(self, url: str, token: str, told: asyncio.Semaphore) -> None:
        """Connect and report until cancelled."""
        headers = {"Authorization": f"Bearer {token}"}
        async with connect(
            url, additional_headers=headers, compression=None, max_size=None, proxy=None
        ) as socket:
            await self._say(socket, self._hello())
            for message in self._everything():
                await self._say(socket, message)
            told.release()
            async with asyncio.TaskGroup() as group:
                group.create_task(self._report(socket), name=f"node {self._number}")
                async for frame in socket:
                    await self._obey(socket, from_frame(json.loads(frame)))

    def _begin(self, user: str = "") -> tuple[str, SessionRecord]:
        serial, dice = next(self._serial), self._random
        protocol, port = dice.choice(_PROTOCOLS)
        name = f"{self._boot_id}.{serial}"
        return name, SessionRecord(
            session=name,
            server=protocol,
            protocol=protocol,
            user=user or f"user{dice.randrange(200_000)}@example.org",
            client=f"10.{self._number}.{dice.randrange(256)}.{dice.randrange(256)}",
            client_port=dice.randrange(1024, 65536),
            listen=f"*:{port}",
            backend=f"198.51.100.{dice.randrange(BACKENDS)}:{port}",
            started_at=time.time(),
            tls=dice.choice(_TLS),
        )

    def _hello(self) -> Hello:
        return Hello(
            version="1.0",
            boot_id=self._boot_id,
            hostname=f"node-{self._number}",
            workers=2,
            load=0.5,
            clock=time.time(),
        )

    def _heartbeat(self) -> Heartbeat:
        return Heartbeat(
            boot_id=self._boot_id,
            revision=self._running.revision,
            digest=self._running.digest,
            generation=self._generation,
            workers=2,
            sessions=len(self._live),
            tickets=self._tickets,
            is_draining=self._draining,
            load=0.5,
            clock=time.time(),
        )

    def _everything(self) -> Iterator[Sessions]:
        records = list(self._live.values())
        for start in range(0, len(records) or 1, PER_FRAME):
            opened = tuple(records[start : start + PER_FRAME])
            yield Sessions(boot_id=self._boot_id, full=start == 0, opened=opened)

    def _news(self) -> Sessions:
        closed = self._random.sample(sorted(self._live), min(CHANGED_PER_S, len(self._live)))
        for session in closed:
            del self._live[session]
        opened = dict(self._begin() for _ in closed)
        if self._number == 0:
            name, record = self._begin(f"beacon-{time.time_ns() // 1_000_000}")
            opened[name] = record
            if self._beacon in self._live:
                del self._live[self._beacon]
                closed.append(self._beacon)
            self._beacon = name
        busy = self._random.sample(sorted(self._live), min(COUNTED_PER_S, len(self._live)))
        octets = round(time.monotonic() * 100)
        self._live |= opened
        return Sessions(
            boot_id=self._boot_id,
            full=False,
            opened=tuple(opened.values()),
            closed=tuple(closed),
            counted=tuple(
                SessionBytes(session=one, bytes_to_front=octets, bytes_to_back=octets // 10)
                for one in busy
            ),
        )

    def _stats(self) -> Stats:
        self._seq += 1
        logins = {series(LOGINS, name): next(self._serial) for name in ("imap", "pop3", "smtp")}
        return Stats(boot_id=self._boot_id, seq=self._seq, values=logins)

    async def _report(self, socket: ClientConnection) -> None:
        # nodes do not beat in step
        await asyncio.sleep(self._random.random() * HEARTBEAT_S)
        for second in itertools.count():
            await self._say(socket, self._news())
            if second % STATS_S == 0:
                await self._say(socket, self._stats())
            await self._say(socket, self._heartbeat())
            await asyncio.sleep(HEARTBEAT_S)

    async def _obey(self, socket: ClientConnection, order: Message) -> None:
        match order:
            case Apply():
                self._running = Ack(revision=order.revision, digest=order.digest)
                await self._say(socket, self._running)
            case Check():
                await self._say(socket, Checked(candidate=order.candidate, digest=order.digest))
            case Invalidate():
                self._generation = order.generation
            case Tickets():
                self._tickets = order.number
            case Drain():
                self._draining = order.is_wanted
            case Kick():
                known = [one for one in order.sessions if self._live.pop(one, None) is not None]
                await self._say(socket, CommandResult(command=order.command, affected=len(known)))
            case _:
                pass

    async def _say(self, socket: ClientConnection, message: Message) -> None:
        await socket.send(json.dumps(to_frame(message), separators=(",", ":")))


async def play(url: str, tokens: list[str], sessions: int) -> None:
    """Run the fleet until stdin ends. A node that breaks ends all."""
    told = asyncio.Semaphore(0)
    async with asyncio.TaskGroup() as group:
        nodes = [
            group.create_task(Pretender(i, sessions).run(url, token, told), name=f"link {i}")
            for i, token in enumerate(tokens)
        ]
        for _ in tokens:
            await told.acquire()
        print("told", flush=True)
        await asyncio.to_thread(sys.stdin.read)
        for node in nodes:
            node.cancel()


def main() -> None:
    """Read the tokens, then play."""
    tokens = list(iter(sys.stdin.readline, "\n"))
    asyncio.run(play(sys.argv[1], [token.strip() for token in tokens], int(sys.argv[2])))


if __name__ == "__main__":
    main()
