"""The live sessions of all workers, and what of them the appliance has not been told yet.

Changes are merged by session while they wait, and their number is bounded: a link that cannot
keep up (or is away) gets the whole list again instead of a growing backlog.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from proxycore.contract.messages import Sessions
from proxycore.contract.session import SessionBytes, SessionRecord

MAX_WAITING: Final = 20_000
"""Changed sessions that may wait; more are cheaper told as a whole list."""

PER_FRAME: Final = 1_000
"""Sessions per message, about 300 kB: below the frame limits of WebSocket servers."""


class Registry:
    """Live sessions by id."""

    def __init__(self, boot_id: str, *, max_waiting: int = MAX_WAITING) -> None:
        self._boot_id = boot_id
        self._max_waiting = max_waiting
        self._records: dict[str, SessionRecord] = {}
        self._worker: dict[str, int] = {}
        self._opened: dict[str, None] = {}
        self._counted: dict[str, None] = {}
        self._closed: dict[str, None] = {}
        self._full = True

    def __len__(self) -> int:
        return len(self._records)

    def update(
        self,
        serial: int,
        opened: Iterable[SessionRecord],
        counted: Iterable[SessionBytes],
        closed: Iterable[str],
    ) -> None:
        """Take what changed in one worker."""
        for record in opened:
            self._records[record.session] = record
            self._worker[record.session] = serial
            self._opened[record.session] = None
        for count in counted:
            known = self._records.get(count.session)
            if known is None:
                continue
            self._records[count.session] = replace(
                known, bytes_to_front=count.bytes_to_front, bytes_to_back=count.bytes_to_back
            )
            self._counted[count.session] = None
        for session in closed:
            self._close(session)
        self._bound()

    def forget_worker(self, serial: int) -> int:
        """Close every session of a worker that is gone; gives how many."""
        gone = [session for session, owner in self._worker.items() if owner == serial]
        for session in gone:
            self._close(session)
        self._bound()
        return len(gone)

    def workers_of(self, sessions: Iterable[str]) -> dict[int, list[str]]:
        """Sort session ids by the worker that holds them; unknown ones are left out."""
        found: dict[int, list[str]] = {}
        for session in sessions:
            if session in self._worker:
                found.setdefault(self._worker[session], []).append(session)
        return found

    def want_full(self) -> None:
        """Have the next ``take`` tell everything: the other end knows nothing."""
        self._full = True
        self._bound()

    def take(self) -> Iterator[Sessions]:
        """Give the messages that tell what is new; what was given counts as told."""
        full = self._full
        opened = list(self._records if full else self._opened)
        counted = [] if full else [s for s in self._counted if s not in self._opened]
        closed = [] if full else list(self._closed)
        self._full = False
        self._clear()
        records = [self._records[session] for session in opened]
        counts = [_bytes_of(self._records[session]) for session in counted]
        while full or records or counts or closed:
            yield Sessions(
                boot_id=self._boot_id,
                full=full,
                opened=tuple(records[:PER_FRAME]),
                counted=tuple(counts[:PER_FRAME]),
                closed=tuple(closed[:PER_FRAME]),
            )
            full = False
            del records[:PER_FRAME], counts[:PER_FRAME], closed[:PER_FRAME]

    def _close(self, session: str) -> None:
        if self._records.pop(session, None) is None:
            return
        del self._worker[session]
        self._counted.pop(session, None)
        if session in self._opened:
            # opened and closed between two messages: nobody has heard of it
            del self._opened[session]
        else:
            self._closed[session] = None

    def _bound(self) -> None:
        if len(self._opened) + len(self._counted) + len(self._closed) > self._max_waiting:
            self._full = True
        if self._full:
            self._clear()

    def _clear(self) -> None:
        self._opened.clear()
        self._counted.clear()
        self._closed.clear()


def _bytes_of(record: SessionRecord) -> SessionBytes:
    return SessionBytes(
        session=record.session,
        bytes_to_front=record.bytes_to_front,
        bytes_to_back=record.bytes_to_back,
    )
