"""The little HTTP the supervisor itself speaks: one small request for a connection, one answer.

For what is asked rarely and by programs: challenges of certificate authorities, metrics. Whoever
else finds such a port finds nothing to do there.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Final

from proxycore.contract.messages import HttpAddress

MAX_CONNECTIONS: Final = 64
MAX_REQUEST_BYTES: Final = 8192
REQUEST_S: Final = 5.0

_END = b"\r\n\r\n"


class HttpAnswers:
    """Answers on any number of sockets by one function, from a request's head to the response."""

    def __init__(self, answer: Callable[[bytes], bytes]) -> None:
        self._answer = answer
        self._open = 0

    async def listen(self, place: HttpAddress, *, shared: bool = False) -> asyncio.Server:
        """Open a socket. Raises OSError, ValueError or OverflowError.

        shared: another program of ours may listen there too, while one takes over from the other.
        """
        host = "0.0.0.0" if place.address == "*" else place.address  # noqa: S104  (as asked)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if shared:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listener.bind((host, place.port))
            return await asyncio.start_server(self._serve, sock=listener, limit=MAX_REQUEST_BYTES)
        except BaseException:
            listener.close()
            raise

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            if self._open <= MAX_CONNECTIONS:
                async with asyncio.timeout(REQUEST_S):
                    writer.write(self._answer(await _head(reader)))
                    await writer.drain()
        except (TimeoutError, OSError):
            pass
        finally:
            self._open -= 1
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


async def _head(reader: asyncio.StreamReader) -> bytes:
    """Read the head of a request; what is no head, or too long, is given as it came."""
    try:
        return await reader.readuntil(_END)
    except asyncio.LimitOverrunError:
        return b""
    except asyncio.IncompleteReadError as error:
        return error.partial


def response(
    status: str, body: bytes, *, shown: bool = True, kind: str = "application/octet-stream"
) -> bytes:
    """Compose a response; ``shown``: with its body, which HEAD does not want."""
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + (body if shown else b"")


def name_of(place: HttpAddress) -> str:
    """Write an address with its port."""
    host = f"[{place.address}]" if ":" in place.address else place.address
    return f"{host}:{place.port}"
