"""Stands in front of Pebble and does what Pebble cannot: refuse, lose answers, suggest renewals.

Everything else is passed on unchanged, with the host the client asked for: Pebble makes its
addresses of it, and they lead back here.
"""

import http.client
import json
import ssl
from base64 import urlsafe_b64decode
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType
from typing import Any, Self

from tests.support.pebble import Pebble

PROBLEM = "application/problem+json"


@dataclass
class Refusal:
    """What is answered instead of the CA, so many times, to requests for a path."""

    path: str
    status: int
    document: dict[str, Any]
    headers: dict[str, str] = field(default_factory=dict)
    times: int = 1


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    doorman: "Doorman"


class Doorman:
    """A directory whose answers a test decides on."""

    def __init__(self, pebble: Pebble) -> None:
        self.pebble = pebble
        self.authority = pebble.authority
        self.refusals: list[Refusal] = []
        self.lost: list[str] = []
        """Paths whose next answer never arrives although the CA has given it."""
        self.renewal_info: dict[str, Any] | None = None
        self.renewal_headers: dict[str, str] = {}
        self.seen: list[tuple[str, Any]] = []
        """Paths asked for, with the payload of what was posted."""
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.doorman = self
        certificate, key = self.authority.issue("localhost").write(pebble.directory, "doorman")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def directory_url(self) -> str:
        """Address of the directory."""
        return f"https://localhost:{self._server.server_port}/dir"

    def posted(self, path: str) -> list[Any]:
        """Give the payloads of what was posted to a path."""
        return [payload for where, payload in self.seen if where.startswith(path)]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def _handle(self) -> None:
        doorman = self.server.doorman
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        doorman.seen.append((self.path, _payload(body)))
        refusal = next((one for one in doorman.refusals if self.path.startswith(one.path)), None)
        if refusal is not None:
            refusal.times -= 1
            if not refusal.times:
                doorman.refusals.remove(refusal)
            headers = {"Content-Type": PROBLEM, **refusal.headers}
            self._answer(refusal.status, headers, json.dumps(refusal.document).encode())
            return
        if self.path.startswith("/renewal-info/"):
            headers = {"Content-Type": "application/json", **doorman.renewal_headers}
            self._answer(200, headers, json.dumps(doorman.renewal_info).encode())
            return
        self._pass_on(doorman, body)

    do_GET = do_POST = do_HEAD = _handle  # noqa: N815  (as the base class calls them)

    def _pass_on(self, doorman: Doorman, body: bytes) -> None:
        context = ssl.create_default_context(cadata=doorman.authority.pem)
        ca = http.client.HTTPSConnection(
            "localhost", doorman.pebble.port, context=context, timeout=10
        )
        ca.request(self.command, self.path, body or None, dict(self.headers))
        answer = ca.getresponse()
        given = answer.read()
        ca.close()
        lost = next((one for one in doorman.lost if self.path.startswith(one)), None)
        if lost is not None and answer.status < 300:
            doorman.lost.remove(lost)
            self.close_connection = True
            return
        if self.path == "/dir" and doorman.renewal_info is not None:
            directory = json.loads(given)
            directory["renewalInfo"] = doorman.directory_url.replace("/dir", "/renewal-info")
            given = json.dumps(directory).encode()
        self._answer(answer.status, dict(answer.getheaders()), given)

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _payload(body: bytes) -> Any:
    try:
        encoded = json.loads(body)["payload"]
    except (ValueError, KeyError):
        return None
    return json.loads(urlsafe_b64decode(encoded + "==") or b"null")
