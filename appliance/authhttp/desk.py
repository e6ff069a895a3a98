"""Where requests become replies, whoever took them off the wire (``asgi`` or ``listener``).

A request begins in one of a few threads, each with its own database connection. Most end there: a
known user needs two look-ups. What needs slow work goes through a bounded queue of its own, so
that a storm of first logins stops no known user; when the queue is full the client is told, at
once, to try again later.
"""

import asyncio
import logging
import os
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import Future
from threading import Barrier
from typing import Final, TypeVar

from django.conf import settings
from django.db import (
    DatabaseError,
    InterfaceError,
    OperationalError,
    close_old_connections,
    connections,
)

from appliance.authhttp import services, views
from appliance.authhttp.callers import Doorkeeper
from appliance.credentials.queues import Full, WorkQueue
from appliance.credentials.verify import Kind, Result
from appliance.credentials.writes import writes
from appliance.lib.hands import Hands
from appliance.lib.vault import Undecryptable

logger = logging.getLogger(__name__)

THREADS: Final = 4
"""Requests in the database at a time; each thread keeps one connection."""

ASKING_THREADS: Final = 16
"""Questions to others at a time; they wait, they do not compute."""

_CHECK_EVERY_S: Final = 1.0
_COMPLAIN_EVERY_S: Final = 10.0

_Found = TypeVar("_Found")

Done = Callable[[views.Reply], None]


class Desk:
    """Answers requests; ``done`` is called in the event loop that asked."""

    def __init__(
        self,
        *,
        threads: int = THREADS,
        hash_threads: int | None = None,
        waiting: int | None = None,
    ) -> None:
        self._quick = Hands("auth_http", threads)
        waiting = settings.AUTH_HASH_QUEUE if waiting is None else waiting
        cores = hash_threads or len(os.sched_getaffinity(0))
        self.queues = {
            Kind.HASH: WorkQueue("hash", threads=cores, waiting=waiting),
            Kind.ASK: WorkQueue("ask", threads=ASKING_THREADS, waiting=waiting),
        }
        writes.start()
        self._doorkeeper = Doorkeeper()
        self._complained_at = 0.0
        self._is_closed = False

    async def answer(self, raw: views.RawHeaders) -> views.Reply:
        """Answer one request."""
        loop = asyncio.get_running_loop()
        found: asyncio.Future[views.Reply] = loop.create_future()

        def done(reply: views.Reply) -> None:
            if not found.done():
                found.set_result(reply)

        self.ask(raw, loop, done)
        return await found

    def ask(self, raw: views.RawHeaders, loop: asyncio.AbstractEventLoop, done: Done) -> None:
        """Answer one request by calling ``done`` in the loop, later."""

        def reply(answer: views.Reply) -> None:
            loop.call_soon_threadsafe(done, answer)

        self._quick.submit(lambda: self._begin(raw, reply))

    def _begin(self, raw: views.RawHeaders, reply: Done) -> None:
        begun = _guarded(lambda: views.begin(raw, self._doorkeeper.who_asks))
        if isinstance(begun, views.Unfinished):
            self._go_on(begun, reply)
        else:
            reply(begun)

    def _go_on(self, case: views.Unfinished, reply: Done) -> None:
        def worked(future: "Future[Result]") -> None:
            if future.cancelled():
                reply(views.UNAVAILABLE)
            else:
                reply(_conclude(case, future))

        try:
            future = self.queues[case.kind].submit(case.work)
        except Full:
            self._complain(case.kind)
            reply(views.render(services.try_later(case.protocol)))
        else:
            future.add_done_callback(worked)

    def _complain(self, kind: Kind) -> None:
        now = time.monotonic()
        if now - self._complained_at > _COMPLAIN_EVERY_S:
            self._complained_at = now
            count = self.queues[kind].refused
            logger.warning(
                "auth_http: queue=%s is full, logins put off so far: %d", kind.value, count
            )

    def disconnect(self) -> None:
        """Close the database connection of every thread; the next request opens a new one."""
        # the barrier makes each thread take exactly one of these, and us wait for all
        everybody = Barrier(self._quick.count + 1)

        def leave() -> None:
            connections.close_all()
            everybody.wait()

        for _ in range(self._quick.count):
            self._quick.submit(leave)
        everybody.wait()

    def close(self) -> None:
        """End all threads. The second time there is nothing to do."""
        if self._is_closed:
            return
        self._is_closed = True
        for queue in self.queues.values():
            queue.close()
        self.disconnect()
        self._quick.close()
        writes.stop()


_seen = threading.local()


def _guarded(work: Callable[[], _Found]) -> _Found | views.Reply:
    """Do something on this thread's database connection. Raises nothing."""
    now = time.monotonic()
    if now - getattr(_seen, "at", 0.0) > _CHECK_EVERY_S:
        # what Django does at the beginning of every request
        close_old_connections()
        _seen.at = now
    try:
        return _twice(work)
    except (DatabaseError, Undecryptable) as fault:
        # the words may quote parameters of the query, that is logins
        logger.error("auth_http: not available: %s", type(fault).__name__)
        close_old_connections()
    except Exception as bug:  # noqa: BLE001  (somebody waits for an answer)
        # without its words, which may quote what a client sent
        where = "".join(traceback.format_tb(bug.__traceback__))
        logger.error("auth_http: %s\n%s", type(bug).__name__, where)
    return views.UNAVAILABLE


def _twice(work: Callable[[], _Found]) -> _Found:
    """Try again, once, when the connection had been closed while nobody asked."""
    try:
        return work()
    except (OperationalError, InterfaceError):
        close_old_connections()
        return work()


def _conclude(case: views.Unfinished, future: "Future[Result]") -> views.Reply:
    return _guarded(lambda: case.finish(future.result()))
