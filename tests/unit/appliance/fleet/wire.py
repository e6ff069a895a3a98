"""Speak to the consumers as a node and as a browser do."""

import asyncio
import itertools
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import async_to_sync
from channels.db import database_sync_to_async
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client

from appliance.asgi import application
from appliance.fleet.models import Node
from proxycore.contract.messages import Heartbeat, Hello, Message, Waiting, from_frame, to_frame
from proxycore.contract.session import SessionRecord, Standing, WaitingSession

_markers = itertools.count(1000)

Scene = Callable[[], Awaitable[None]]


def play(scene: Scene) -> None:
    """Run a scene; database work happens in this thread, on the test's own connection."""
    async_to_sync(scene)()


def hello(**said: Any) -> Hello:
    """Give a greeting."""
    facts = {"version": "1.0", "boot_id": "boot-1", "hostname": "edge", "workers": 2}
    return Hello(**{**facts, **said})


def heartbeat(**said: Any) -> Heartbeat:
    """Give a heartbeat of a node that runs nothing."""
    facts = {
        "boot_id": "boot-1",
        "revision": 0,
        "digest": "",
        "generation": 0,
        "workers": 2,
        "sessions": 0,
    }
    return Heartbeat(**{**facts, **said})


def record(session: str = "w1.1", **said: Any) -> SessionRecord:
    """Give a session as a worker reports it."""
    facts = {
        "session": session,
        "server": "imap",
        "protocol": "imap",
        "user": "alice@example.org",
        "client": "192.0.2.7",
        "client_port": 50000,
        "listen": "*:143",
        "backend": "198.51.100.1:143",
        "started_at": 1_700_000_000.0,
    }
    return SessionRecord(**{**facts, **said})


def waiter(session: str, **said: Any) -> WaitingSession:
    """Give a session before login as a node describes it."""
    facts = {
        "session": session,
        "server": "imap",
        "protocol": "imap",
        "client": "192.0.2.7",
        "client_port": 50000,
        "listen": "*:143",
        "standing": Standing.IDENTIFYING,
        "age_s": 1.0,
    }
    return WaitingSession(**{**facts, **said})


def waiting_of(*sessions: WaitingSession, **said: Any) -> Waiting:
    """Give a node's answer that tells of these sessions."""
    facts = {
        "number": 1,
        "total": len(sessions),
        "by_standing": Counter(one.standing.value for one in sessions),
        "by_address": Counter(one.client for one in sessions),
        "sessions": sessions,
    }
    return Waiting(**{**facts, **said})


class Link:
    """A node's end of the control link."""

    def __init__(self, token: str | None) -> None:
        headers = [] if token is None else [(b"authorization", b"Bearer " + token.encode())]
        self.socket = WebsocketCommunicator(application, "/ws/node/", headers=headers)

    async def open(self) -> bool:
        """Do the handshake; tells whether it was accepted."""
        accepted, _ = await self.socket.connect(timeout=5)
        return bool(accepted)

    async def say(self, *messages: Message) -> None:
        """Send messages."""
        for message in messages:
            await self.socket.send_to(text_data=json.dumps(to_frame(message)))

    async def hear(self) -> Message:
        """Give the next message."""
        return from_frame(json.loads(await self.socket.receive_from(timeout=5)))

    async def settle(self, **said: Any) -> None:
        """Wait until everything sent so far is dealt with: a heartbeat is, in order, the last."""
        marker = next(_markers)
        await self.say(heartbeat(workers=marker, **said))
        heard = Node.objects.filter(workers=marker).exists
        async with asyncio.timeout(5):
            while not await database_sync_to_async(heard)():  # noqa: ASYNC110  (probing the database)
                await asyncio.sleep(0.01)

    async def closed_with(self, within_s: float = 5.0) -> int:
        """Wait for the appliance to close, and give its code."""
        async with asyncio.timeout(within_s):
            while True:
                output = await self.socket.receive_output(timeout=within_s)
                if output["type"] == "websocket.close":
                    return int(output["code"])

    async def close(self) -> None:
        """Leave."""
        await self.socket.disconnect()


class Page:
    """An operator's live page."""

    def __init__(
        self, client: Client, origin: str = "http://localhost", path: str = "/ws/sessions/"
    ) -> None:
        cookie = client.cookies.get(settings.SESSION_COOKIE_NAME)
        headers = [(b"origin", origin.encode()), (b"host", b"localhost")]
        if cookie is not None:
            headers.append((b"cookie", f"{settings.SESSION_COOKIE_NAME}={cookie.value}".encode()))
        self.socket = WebsocketCommunicator(application, path, headers=headers)

    async def open(self) -> bool:
        """Do the handshake; tells whether it was accepted."""
        accepted, _ = await self.socket.connect(timeout=5)
        return bool(accepted)

    async def ask(self, **frame: Any) -> None:
        """Send a frame."""
        await self.socket.send_to(text_data=json.dumps(frame))

    async def hear(self, kind: str = "page") -> dict[str, Any]:
        """Give the next frame of a kind."""
        while True:
            frame: dict[str, Any] = json.loads(await self.socket.receive_from(timeout=8))
            if frame["type"] == kind:
                return frame

    async def close(self) -> None:
        """Leave."""
        await self.socket.disconnect()


def signed_in(user: User) -> Client:
    """Give a browser in which a user is signed in."""
    client = Client()
    client.force_login(user)
    return client
