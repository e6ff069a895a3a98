"""The appliance's end of a node's control link: hands out snapshots and hears what is reported."""

import contextlib
import json
import threading
from collections.abc import Mapping
from typing import Any, Final

from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

from proxycore.contract.messages import Apply, Invalidate, RecordsTaken, to_frame
from proxycore.contract.snapshot import from_plain
from tests.support.ports import free_port, release

_GENERATION: Final = 1
_ACK_WITHIN_S: Final = 30.0


class Control:
    """Serves one node, whatever its token, and remembers what it said last."""

    def __init__(self, snapshot: Mapping[str, Any]) -> None:
        self.port = free_port()
        self.totals: dict[str, int] = {}
        """Series as last reported."""
        self.sessions: set[str] = set()
        """Live sessions as reported."""
        self.records = 0
        """Of ended sessions and refused logins, as told for the history."""
        self.reports = 0
        self._revision = 1
        self._snapshot = dict(snapshot)
        self._acked = threading.Condition()
        self._active = 0
        self._problem = ""
        self._link: ServerConnection | None = None
        self._server: Any = serve(
            self._converse,
            "127.0.0.1",
            self.port,
            process_request=_only_nodes,
            compression=None,
            max_size=None,
        )
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    @property
    def url(self) -> str:
        """What the node is to be given."""
        return f"http://127.0.0.1:{self.port}"

    def apply(self, snapshot: Mapping[str, Any]) -> None:
        """Have the node run another snapshot. Returns when it is active in every worker."""
        assert self._link is not None, "no node is connected"
        self._revision += 1
        self._snapshot = dict(snapshot)
        self._offer(self._link)
        self.wait_until_active()

    def wait_until_active(self) -> None:
        """Wait until the node runs the snapshot. Raises AssertionError."""
        with self._acked:
            done = self._acked.wait_for(
                lambda: self._active == self._revision or self._problem, _ACK_WITHIN_S
            )
        assert done, "the node did not acknowledge its snapshot"
        assert not self._problem, f"the node refused its snapshot: {self._problem}"

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._thread.join()
        if self._link is not None:
            self._link.close()
        release(self.port)

    def _offer(self, link: ServerConnection) -> None:
        digest = from_plain(self._snapshot).digest()
        message = Apply(revision=self._revision, digest=digest, snapshot=self._snapshot)
        link.send(json.dumps(to_frame(message)))

    def _converse(self, link: ServerConnection) -> None:
        self._link = link
        with contextlib.suppress(ConnectionClosed):
            self._offer(link)
            link.send(json.dumps(to_frame(Invalidate(generation=_GENERATION))))
            for text in link:
                self._hear(link, json.loads(text))

    def _hear(self, link: ServerConnection, frame: Mapping[str, Any]) -> None:
        self.reports += 1
        kind = frame["type"]
        if kind == "stats":
            self.totals = frame["values"]
        elif kind == "sessions":
            if frame["full"]:
                self.sessions = set()
            self.sessions |= {record["session"] for record in frame["opened"]}
            self.sessions -= set(frame["closed"])
        elif kind == "records":
            self.records += len(frame["sessions"]) + len(frame["logins"])
            taken = RecordsTaken(boot_id=frame["boot_id"], number=frame["number"])
            link.send(json.dumps(to_frame(taken)))
        elif kind in ("ack", "nack"):
            with self._acked:
                if kind == "ack":
                    self._active = frame["revision"]
                else:
                    self._problem = json.dumps(frame["problems"])
                self._acked.notify_all()


def _only_nodes(_link: ServerConnection, request: Request) -> Response | None:
    if request.path != "/ws/node/":
        return Response(404, "Not Found", Headers(), b"")
    return None
