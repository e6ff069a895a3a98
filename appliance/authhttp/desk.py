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
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from threading import Barrier
from typing import Final

from django.conf import settings
from django.db import DatabaseError, close_old_connections, connections

from appliance.authhttp import services, views
from appliance.authhttp.callers import Doorkeeper
from appliance.credentials.queues import Full, WorkQueue
from appliance.credentials.verify import Kind, Result
from appliance.lib.vault import Undecryptable
from proxycore.contract.protocol import Protocol

logger = logging.getLogger(__name__)

THREADS: Final = 4
"""Requests in the database at a time; each thread keeps one connection."""

ASKING_THREADS: Final = 16
"""Questions to others at a time; they wait, they do not compute."""

_CHECK_EVERY_S: Final = 1.0
_COMPLAIN_EVERY_S: Final = 10.0

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
        self._threads = threads
        self._quick = ThreadPoolExecutor(threads, thread_name_prefix="auth_http")
        waiting = settings.AUTH_HASH_QUEUE if waiting is None else waiting
        cores = hash_threads or len(os.sched_getaffinity(0))
        self.queues = {
            Kind.HASH: WorkQueue("hash", threads=cores, waiting=waiting),
            Kind.ASK: WorkQueue("ask", threads=ASKING_THREADS, waiting=waiting),
        }
        self._doorkeeper = Doorkeeper()
        self._complained_at = 0.0

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

        self._quick.submit(self._begin, raw, reply)

    def _begin(self, raw: views.RawHeaders, reply: Done) -> None:
        begun = _guarded(partial(views.begin, raw, self._doorkeeper.may_ask))
        if isinstance(begun[0], services.Open):
            self._go_on(begun[0], begun[1], reply)
        else:
            reply(begun)

    def _go_on(self, case: services.Open, protocol: Protocol, reply: Done) -> None:
        def worked(future: "Future[Result]") -> None:
            if future.cancelled():
                reply(views.UNAVAILABLE)
            elif future.exception() is None and not future.result().better_hash:
                reply(_conclude(case, future))
            else:
                # what writes needs a connection, and those belong to the other threads
                self._quick.submit(lambda: reply(_conclude(case, future)))

        try:
            self.queues[case.pending.kind].submit(case.pending.work).add_done_callback(worked)
        except Full:
            self._complain(case.pending.kind)
            reply(views.render(services.try_later(protocol)))

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
        # the barrier makes each thread take exactly one of these
        everybody = Barrier(self._threads)

        def leave() -> None:
            everybody.wait()
            connections.close_all()

        for leaving in [self._quick.submit(leave) for _ in range(self._threads)]:
            leaving.result()

    def close(self) -> None:
        """End all threads."""
        for queue in self.queues.values():
            queue.close()
        self.disconnect()
        self._quick.shutdown()


_seen = threading.local()


def _guarded(
    work: Callable[[], "views.Reply | tuple[services.Open, Protocol]"],
) -> "views.Reply | tuple[services.Open, Protocol]":
    """Do something on this thread's database connection."""
    now = time.monotonic()
    if now - getattr(_seen, "at", 0.0) > _CHECK_EVERY_S:
        # what Django does at the beginning of every request
        close_old_connections()
        _seen.at = now
    try:
        return work()
    except (DatabaseError, Undecryptable) as fault:
        # the words may quote parameters of the query, that is logins
        logger.error("auth_http: not available: %s", type(fault).__name__)
        close_old_connections()
        return views.UNAVAILABLE


def _conclude(case: services.Open, future: "Future[Result]") -> views.Reply:
    def conclude() -> views.Reply:
        return views.render(case.conclude(case.pending.finish(future.result())))

    reply = _guarded(conclude)
    assert not isinstance(reply[0], services.Open)
    return reply
