"""Writes that no login waits for: when an app password was used, a better hash.

SQLite has one writer at a time, so a write can wait for seconds while a million accounts are being
imported. One thread waits in our place; what it cannot keep up with is dropped, because all of it
is offered again with the next login.
"""

from collections.abc import Callable
from threading import Lock
from typing import Final

from django.db import connections

from appliance.lib.hands import Hands

MAX_WAITING: Final = 1_000


class Writes:
    """Does writes at once, until it is started: then in a thread of its own."""

    def __init__(self) -> None:
        self._hands: Hands | None = None
        self._waiting = 0
        self._lock = Lock()

    def start(self) -> None:
        """Begin to write in a thread."""
        if self._hands is None:
            self._hands = Hands("auth_writes", 1)

    def stop(self) -> None:
        """Write what waits, and write at once from now on."""
        if self._hands is not None:
            self._hands.submit(connections.close_all)
            self._hands.close()
            self._hands = None

    def do(self, write: Callable[[], None]) -> None:
        """Have something written, now or soon, or not at all."""
        hands = self._hands
        if hands is None:
            write()
            return
        with self._lock:
            if self._waiting >= MAX_WAITING:
                return
            self._waiting += 1

        def one() -> None:
            with self._lock:
                self._waiting -= 1
            write()

        hands.submit(one)


writes: Final = Writes()
"""Of this process."""
