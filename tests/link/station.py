"""A small appliance: a real WebSocket server that speaks the link and remembers what it hears."""

import contextlib
import json
import threading
from collections.abc import Callable
from typing import Any, Self, TypeVar

from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

from proxycore.contract.messages import Apply, Message, from_frame, to_frame
from proxycore.contract.snapshot import Snapshot, to_plain
from tests.support.wait import eventually

TOKEN = "n0de-token"

M = TypeVar("M")


class Conversation:
    """One connection of a node."""

    def __init__(self, socket: ServerConnection) -> None:
        self.socket = socket
        self.heard: list[Any] = []
        self.ended = threading.Event()

    def listen(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            for frame in self.socket:
                self.heard.append(from_frame(json.loads(frame)))
        self.ended.set()

    def send(self, message: Message) -> None:
        self.socket.send(json.dumps(to_frame(message)))

    def apply(self, revision: int, snapshot: Snapshot) -> None:
        plain = to_plain(snapshot, reveal=True)
        self.send(Apply(revision=revision, digest=snapshot.digest(), snapshot=plain))

    def all(self, kind: type[M]) -> list[M]:
        return [message for message in list(self.heard) if isinstance(message, kind)]

    def wait_for(
        self, kind: type[M], fits: Callable[[M], object] = bool, within_s: float = 10
    ) -> M:
        """Wait for a message (from the beginning of the connection on) and give it."""
        return eventually(
            lambda: next((m for m in self.all(kind) if fits(m)), None),
            f"a {kind.__name__}; heard {[type(m).__name__ for m in self.heard]}",
            within_s=within_s,
        )


class Station:
    """Serves on one port, may be stopped and started again."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.token = TOKEN
        self.redirect = ""
        """Where every request is sent to, unless empty."""
        self.refused = 0
        self.conversations: list[Conversation] = []
        self._server: Any = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> Self:
        self._server = serve(
            self._converse, "127.0.0.1", self.port, process_request=self._check, compression=None
        )
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        return self

    def stop(self) -> None:
        assert self._thread is not None
        self._server.shutdown()
        self._thread.join()
        for conversation in self.conversations:
            conversation.socket.close()
            conversation.ended.wait(5)

    def _check(self, _connection: ServerConnection, request: Request) -> Response | None:
        if self.redirect:
            return Response(301, "Moved", Headers({"Location": self.redirect}), b"")
        if request.path != "/ws/node/":
            return Response(404, "Not Found", Headers(), b"")
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            self.refused += 1
            return Response(403, "Forbidden", Headers(), b"")
        return None

    def _converse(self, socket: ServerConnection) -> None:
        conversation = Conversation(socket)
        self.conversations.append(conversation)
        conversation.listen()

    def conversation(self, number: int = 0, within_s: float = 10) -> Conversation:
        """Wait for the node's connection of this number."""
        eventually(lambda: len(self.conversations) > number, "the node connects", within_s=within_s)
        return self.conversations[number]

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc: object) -> None:
        if self._thread is not None and self._thread.is_alive():
            self.stop()
