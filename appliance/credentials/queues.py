"""Slow work beside the event loop, in a few threads and with a bounded queue.

Hashing one password takes 20 ms of a core, asking somebody else takes as long as he likes. Without
a bound a storm of first logins would make everybody wait for minutes; with it, those beyond are
told to try again, at once.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import TypeVar

_Result = TypeVar("_Result")


class Full(Exception):
    """The queue takes no more for now."""


class WorkQueue:
    """Threads for one kind of work."""

    def __init__(self, name: str, *, threads: int, waiting: int) -> None:
        """``waiting``: how many pieces of work may wait for a thread."""
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._room = threads + waiting
        self._open = 0
        self._lock = Lock()
        self.refused = 0
        """How often the queue was full."""

    def submit(self, work: Callable[[], _Result]) -> "Future[_Result]":
        """Have the work done. Raises Full."""
        with self._lock:
            if self._open >= self._room:
                self.refused += 1
                raise Full
            self._open += 1
        try:
            future = self._pool.submit(work)
        except BaseException:
            self._leave()
            raise
        future.add_done_callback(self._leave)
        return future

    def _leave(self, _: object = None) -> None:
        with self._lock:
            self._open -= 1

    @property
    def open_count(self) -> int:
        """Pieces of work that run or wait."""
        return self._open

    def close(self) -> None:
        """Drop what waits, and end the threads once they have nothing to do."""
        self._pool.shutdown(wait=True, cancel_futures=True)
