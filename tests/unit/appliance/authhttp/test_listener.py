"""The auth service's own HTTP: what it takes, what it refuses, how it ends."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from appliance.authhttp import listener as http
from appliance.authhttp import views

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
GET = b"GET /auth_http HTTP/1.1\r\nAuth-User: joe\r\n\r\n"


class Desk:
    """Stands for the desk: notes what was asked, and answers when it is let."""

    def __init__(self) -> None:
        self.asked: list[list[tuple[bytes, bytes]]] = []
        self.held: list[Callable[[], None]] | None = None
        self.holds = asyncio.Event()

    def ask(self, raw: Any, loop: asyncio.AbstractEventLoop, done: Any) -> None:
        self.asked.append(raw)
        reply: views.Reply = (200, [(b"Auth-Status", b"OK %d" % len(self.asked))])
        if self.held is None:
            loop.call_soon(done, reply)
        else:
            self.held.append(lambda: done(reply))
            self.holds.set()


async def _later(act: Callable[[], None]) -> None:
    act()


def serve(desk: Desk, talk: Talk) -> None:
    """Run the listener for the time of one conversation."""

    async def run() -> None:
        service = http.Listener(desk, asyncio.get_running_loop())  # type: ignore[arg-type]
        port = await service.open("127.0.0.1", 0)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            async with asyncio.timeout(10):
                await talk(reader, writer)
        finally:
            writer.close()
            await service.close(1)
        assert service.open_count == 0

    asyncio.run(run())


async def _reply(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    return int(head[0].split()[1]), dict(line.split(": ", 1) for line in head[1:] if line)


def test_requests_follow_each_other_on_one_connection() -> None:
    desk = Desk()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for number in (1, 2):
            writer.write(GET)
            status, headers = await _reply(reader)
            assert (status, headers["Auth-Status"]) == (200, f"OK {number}")
            assert headers["Content-Length"] == "0"
            assert "Connection" not in headers

    serve(desk, talk)
    assert desk.asked == [[(b"Auth-User", b"joe")]] * 2


def test_requests_that_come_together_are_answered_in_order() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(GET * 3)
        for number in (1, 2, 3):
            assert (await _reply(reader))[1]["Auth-Status"] == f"OK {number}"

    serve(Desk(), talk)


def test_a_request_may_come_octet_by_octet() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for at in range(len(GET)):
            writer.write(GET[at : at + 1])
            await writer.drain()
        assert (await _reply(reader))[0] == 200

    serve(Desk(), talk)


@pytest.mark.parametrize(
    "head",
    [
        b"GET /auth_http HTTP/1.0\r\n\r\n",
        b"GET /auth_http HTTP/1.1\r\nConnection: close\r\n\r\n",
    ],
)
def test_who_wants_one_answer_gets_one(head: bytes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        status, headers = await _reply(reader)
        assert (status, headers["Connection"]) == (200, "close")
        assert await reader.read() == b""

    serve(Desk(), talk)


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /auth_http\r\n\r\n", 400),
        (b"GET /auth_http HTTP/2.0\r\n\r\n", 400),
        (b"nonsense\r\n\r\n", 400),
        (b"GET /auth_http HTTP/1.1\r\nAuth-User: a\r\n folded\r\n\r\n", 400),
        (b"GET /auth_http HTTP/1.1\r\nAuth-User : a\r\n\r\n", 400),
        (b"GET /auth_http HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"GET /auth_http HTTP/1.1\r\nContent-Length: 5\r\n\r\nGET /", 400),
        (b"GET /auth_http HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"x" * (http.MAX_HEAD_BYTES + 1), 431),
    ],
)
def test_what_could_be_read_in_two_ways_ends_the_connection(head: bytes, status: int) -> None:
    desk = Desk()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        assert (await _reply(reader))[0] == status
        assert await reader.read() == b""

    serve(desk, talk)
    assert desk.asked == []


@pytest.mark.parametrize(
    ("line", "status"),
    [(b"POST /auth_http", 405), (b"GET /admin/", 404), (b"GET /auth_http?x=1", 200)],
)
def test_only_one_thing_can_be_asked(line: bytes, status: int) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(line + b" HTTP/1.1\r\n\r\n")
        assert (await _reply(reader))[0] == status

    serve(Desk(), talk)


def test_what_is_under_way_at_the_end_is_still_answered() -> None:
    async def run() -> None:
        desk = Desk()
        desk.held = []
        service = http.Listener(desk, asyncio.get_running_loop())  # type: ignore[arg-type]
        port = await service.open("127.0.0.1", 0)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(GET)
        async with asyncio.timeout(10):
            await desk.holds.wait()
            async with asyncio.TaskGroup() as group:
                group.create_task(service.close(5))
                group.create_task(_later(desk.held[0]))
                assert (await _reply(reader))[1]["Connection"] == "close"
        writer.close()

    asyncio.run(run())


def test_a_connection_that_says_nothing_for_long_is_closed(monkeypatch: Any) -> None:
    monkeypatch.setattr(http, "HEAD_S", 0.0)
    monkeypatch.setattr(http, "_SWEEP_S", 0.01)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(GET[:20])
        assert await reader.read() == b""

    serve(Desk(), talk)


def test_there_is_a_limit_to_connections(monkeypatch: Any) -> None:
    monkeypatch.setattr(http, "MAX_CONNECTIONS", 0)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""

    serve(Desk(), talk)
