"""Answers the questions of certificate authorities by HTTP (RFC 8555 §8.3), if the appliance asks.

A certificate for the name of a node is asked about at that node's port 80. All that is answered is
``GET`` and ``HEAD`` of ``/.well-known/acme-challenge/<token>`` for tokens that are pending now;
anything else is 404. One request for a connection, small and soon, and few connections at once:
whoever else finds this port finds nothing to do here.
"""

import asyncio
import contextlib
import re
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from proxycore.contract.messages import Challenges, HttpAddress, SettingProblem
from proxycore.daemon.logs import ErrorLogs
from proxycore.daemon.tasks import spawn

MAX_CONNECTIONS: Final = 64
MAX_REQUEST_BYTES: Final = 8192
REQUEST_S: Final = 5.0
RETRY_S: Final = 5.0
"""Between attempts to listen where somebody else does."""

_Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

_END = b"\r\n\r\n"
_REQUEST = re.compile(
    rb"(GET|HEAD) /\.well-known/acme-challenge/([A-Za-z0-9_-]{1,256}) HTTP/1\.[01]\r\n"
)


class Responder:
    """The sockets for these questions, and what is answered."""

    def __init__(self, logs: ErrorLogs) -> None:
        self._logs = logs
        self._asked = Challenges(digest="", listen=(), answers={})
        self._servers: dict[HttpAddress, asyncio.Server] = {}
        self._problems: dict[HttpAddress, str] = {}
        self._retrying: asyncio.Task[None] | None = None
        self._changing = asyncio.Lock()
        self._open = 0

    @property
    def digest(self) -> str:
        """What of ``Challenges`` is answered by; empty: nobody is."""
        return self._asked.digest

    @property
    def problems(self) -> tuple[SettingProblem, ...]:
        """Addresses that cannot be listened on now."""
        return tuple(
            SettingProblem(path=f"acme_http_listen[{i}]", message=self._problems[one])
            for i, one in enumerate(self._asked.listen)
            if one in self._problems
        )

    async def use(self, asked: Challenges) -> None:
        """Answer by these and listen there, as far as that is possible; the rest is tried again."""
        async with self._changing:
            self._asked = asked
            for place in [place for place in self._servers if place not in asked.listen]:
                self._servers.pop(place).close()
                self._logs.write("notice", f"no longer answering challenges on {_name(place)}")
            self._problems = {k: v for k, v in self._problems.items() if k in asked.listen}
            await self._open_missing()
        if self._problems and self._retrying is None:
            self._retrying = spawn(self._retry(), name="challenges retry")

    async def close(self) -> None:
        """Close everything; ``use`` opens it again."""
        if self._retrying is not None:
            self._retrying.cancel()
            self._retrying = None
        await self.use(Challenges(digest="", listen=(), answers={}))

    async def _open_missing(self) -> None:
        for place in self._asked.listen:
            if place in self._servers:
                continue
            try:
                server = await _listen(self._serve, place)
            except (OSError, ValueError, OverflowError) as error:
                words = getattr(error, "strerror", None) or str(error)
                text = f"challenges cannot be answered on {_name(place)}: {words}"
                if self._problems.get(place) != text:
                    self._logs.write("error", text)
                self._problems[place] = text
            else:
                self._servers[place] = server
                self._problems.pop(place, None)
                self._logs.write("notice", f"answering challenges on {_name(place)}")

    async def _retry(self) -> None:
        while self._problems:
            await asyncio.sleep(RETRY_S)
            async with self._changing:
                await self._open_missing()
        self._retrying = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            if self._open <= MAX_CONNECTIONS:
                async with asyncio.timeout(REQUEST_S):
                    writer.write(answer(await _request(reader), self._asked.answers))
                    await writer.drain()
        except (TimeoutError, OSError):
            pass
        finally:
            self._open -= 1
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


def answer(request: bytes, answers: Mapping[str, str]) -> bytes:
    """Give the whole response to the head of a request."""
    found = _REQUEST.match(request)
    value = answers.get(found[2].decode()) if found else None
    if found is None or value is None:
        return _response("404 Not Found", b"")
    body = value.encode()
    return _response("200 OK", body, shown=found[1] == b"GET")


def _response(status: str, body: bytes, *, shown: bool = True) -> bytes:
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: application/octet-stream\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + (body if shown else b"")


async def _request(reader: asyncio.StreamReader) -> bytes:
    """Read the head of a request; what is no head, or too long, is given as it came."""
    try:
        return await reader.readuntil(_END)
    except asyncio.LimitOverrunError:
        return b""
    except asyncio.IncompleteReadError as error:
        return error.partial


async def _listen(serve: _Serve, place: HttpAddress) -> asyncio.Server:
    """Open a socket. Raises OSError."""
    host = "0.0.0.0" if place.address == "*" else place.address  # noqa: S104  (as asked)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((host, place.port))
        return await asyncio.start_server(serve, sock=listener, limit=MAX_REQUEST_BYTES)
    except BaseException:
        listener.close()
        raise


def _name(place: HttpAddress) -> str:
    host = f"[{place.address}]" if ":" in place.address else place.address
    return f"{host}:{place.port}"
