"""``/auth_http`` as an ASGI application, in front of Django: the shortest way Django allows.

No session, CSRF or host check applies to a caller that is no browser, so it does not pay for any:
what an answer costs is its two or three queries.
"""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any, Final

from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, Scope
from django.db import DatabaseError, close_old_connections, connections

from appliance.authhttp import views

logger = logging.getLogger(__name__)

PATH: Final = "/auth_http"

THREADS: Final = 8
"""Answers at a time. Password hashing releases the interpreter, so more than one core helps; each
thread keeps one database connection."""


class AuthHttp:
    """Answers ``GET /auth_http`` and hands everything else on."""

    def __init__(self, others: Any) -> None:
        self.others = others
        self.threads = ThreadPoolExecutor(THREADS, thread_name_prefix="auth_http")

    async def __call__(
        self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        """Serve one connection."""
        if scope["type"] != "http" or scope["path"] != PATH:
            await self.others(scope, receive, send)
            return
        if scope["method"] != "GET":
            await _send(send, (405, [(b"Allow", b"GET")]))
            return
        loop = asyncio.get_running_loop()
        raw = list(scope["headers"])
        await _send(send, await loop.run_in_executor(self.threads, _answer, raw))

    def disconnect(self) -> None:
        """Close the database connection of every thread; the next request opens a new one."""
        # the barrier makes each thread take exactly one of these
        everybody = Barrier(THREADS)

        def leave() -> None:
            everybody.wait()
            connections.close_all()

        for leaving in [self.threads.submit(leave) for _ in range(THREADS)]:
            leaving.result()


def _answer(raw: list[tuple[bytes, bytes]]) -> views.Reply:
    # what Django does at the beginning of a request, for the connection of this thread
    close_old_connections()
    try:
        return views.answer(raw)
    except DatabaseError as fault:
        # the words may quote parameters of the query, that is logins
        logger.error("auth_http: database not available: %s", type(fault).__name__)
        return views.UNAVAILABLE


async def _send(send: ASGISendCallable, reply: views.Reply) -> None:
    status, headers = reply
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [*headers, (b"Content-Length", b"0"), (b"Cache-Control", b"no-store")],
            "trailers": False,
        }
    )
    await send({"type": "http.response.body", "body": b"", "more_body": False})
