"""What has ended on this node, on its way to the appliance's history (ADR-0031).

Records wait here in bounded room, as the JSON lines the workers wrote, until the appliance has said
that it has stored them. One batch is under way at a time, and is the same one until it is taken:
what the appliance cannot take in, waits; what finds no room is dropped, and counted.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from proxycore.contract.messages import records_frame

MAX_WAITING_BYTES: Final = 16 * 1024 * 1024
"""Records that wait for the appliance, some 25,000 of them."""

MAX_BATCH_BYTES: Final = 128 * 1024
"""One frame, some 200 records: at 10 Mbit/s a heartbeat behind it is a tenth of a second late."""

MAX_BATCH_RECORDS: Final = 250
"""Records of one frame, and so of one transaction of the appliance."""

Tell = Callable[[str, str], None]
"""Writes to the error log: level, message."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Records under way, as the frame that carries them."""

    number: int
    frame: str
    size_bytes: int


class History:
    """The records that wait."""

    def __init__(self, boot_id: str, tell: Tell, *, most_bytes: int = MAX_WAITING_BYTES) -> None:
        self._boot_id = boot_id
        self._tell = tell
        self._most_bytes = most_bytes
        self._waiting: deque[tuple[bool, list[str]]] = deque()
        """Lines, each without its end, and whether they are about sessions (else failed logins)."""
        self._waiting_bytes = 0
        self._batch: Batch | None = None
        self._number = 0
        self._is_full = False
        self._changed = asyncio.Event()
        self.dropped = 0
        """Records lost since the start."""

    @property
    def is_behind(self) -> bool:
        """More waits than goes into the next batch."""
        under_way = 0 if self._batch is None else self._batch.size_bytes
        return self._waiting_bytes - under_way > MAX_BATCH_BYTES

    def put_sessions(self, lines: bytes, dropped: int = 0) -> None:
        """Take lines of the access log, each with its end.

        dropped: how many did not even get here.
        """
        self._put(True, lines, dropped)

    def put_logins(self, lines: bytes, dropped: int = 0) -> None:
        """Take lines about failed logins, likewise."""
        self._put(False, lines, dropped)

    def _put(self, are_sessions: bool, lines: bytes, dropped: int) -> None:
        if self._waiting_bytes + len(lines) > self._most_bytes:
            dropped += lines.count(b"\n")
            if not self._is_full:
                self._is_full = True
                self._tell("warn", "session records wait for the appliance: some are dropped")
        elif lines:
            self._waiting.append((are_sessions, lines.decode("ascii").split("\n")[:-1]))
            self._waiting_bytes += len(lines)
        if dropped:
            self.dropped += dropped
        self._changed.set()

    def batch(self) -> Batch | None:
        """Give what is to be told next; the same until it is ``taken``. None: nothing waits."""
        if self._batch is None and self._waiting:
            self._batch = self._compose()
        return self._batch

    def taken(self, boot_id: str, number: int) -> None:
        """The appliance has stored this batch. That of another number is none of ours."""
        batch = self._batch
        if batch is None or (boot_id, number) != (self._boot_id, batch.number):
            return
        self._batch = None
        self._waiting_bytes -= batch.size_bytes
        if self._is_full and self._waiting_bytes < self._most_bytes // 2:
            self._is_full = False
            self._tell("warn", f"{self.dropped} session records were dropped since the start")
        self._changed.set()

    def rest(self) -> Iterator[str]:
        """Give the frames of all that waits, for a farewell that nobody will answer."""
        while (batch := self.batch()) is not None:
            yield batch.frame
            self.taken(self._boot_id, batch.number)

    async def changed(self) -> None:
        """Wait until ``put_…`` or ``taken`` was called since the last time."""
        await self._changed.wait()
        self._changed.clear()

    def _compose(self) -> Batch:
        size = count = 0
        found: dict[bool, list[str]] = {True: [], False: []}
        while self._waiting and count < MAX_BATCH_RECORDS and size < MAX_BATCH_BYTES:
            are_sessions, lines = self._waiting.popleft()
            room = _fitting(lines, MAX_BATCH_RECORDS - count, MAX_BATCH_BYTES - size)
            if room < len(lines):
                self._waiting.appendleft((are_sessions, lines[room:]))
                lines = lines[:room]
            found[are_sessions] += lines
            count += len(lines)
            size += sum(map(len, lines)) + len(lines)
        self._number += 1
        frame = records_frame(self._boot_id, self._number, self.dropped, found[True], found[False])
        return Batch(self._number, frame, size)


def _fitting(lines: list[str], most: int, most_bytes: int) -> int:
    """Give how many of the first lines fit; one always does."""
    size = 0
    for count, line in enumerate(lines[:most]):
        size += len(line) + 1
        if size > most_bytes:
            return max(1, count)
    return min(len(lines), most)
