"""A small HTTP server that answers auth_http: stands for anybody's own auth service."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from proxycore.contract.authhttp import unescape


@dataclass(frozen=True)
class Asked:
    """One question, decoded."""

    login: str
    password: str
    protocol: str
    attempt: int
    path: str
    headers: Mapping[str, str]


Decision = Callable[[Asked], Mapping[str, str]]

REFUSED: Mapping[str, str] = {"Auth-Status": "Invalid login or password"}


class AuthServer:
    """Answers on ``port`` by ``decide`` and remembers what it was asked."""

    def __init__(self, decide: Decision) -> None:
        self.decide = decide
        self.asked: list[Asked] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def port(self) -> int:
        """TCP port on 127.0.0.1."""
        return int(self._server.server_address[1])

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop answering; connections are refused from now on."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()


def listing_15_2(
    hosts: Mapping[str, tuple[str, Mapping[str, int]]], passwords: Mapping[str, str]
) -> Decision:
    """Give the policy of the classic example: a, c, f, g go to mailhost01, the rest to mailhost02.

    hosts: name to address and port by protocol.
    """

    def decide(asked: Asked) -> Mapping[str, str]:
        if passwords.get(asked.login) != asked.password:
            return REFUSED
        host = "mailhost01" if asked.login[:1] in ("a", "c", "f", "g") else "mailhost02"
        address, ports = hosts[host]
        return {
            "Auth-Status": "OK",
            "Auth-Server": address,
            "Auth-Port": str(ports[asked.protocol]),
        }

    return decide


def _handler(owner: AuthServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = Asked(
                login=unescape(self.headers["Auth-User"].encode("latin-1")).decode(),
                password=unescape(self.headers["Auth-Pass"].encode("latin-1")).decode(),
                protocol=self.headers["Auth-Protocol"],
                attempt=int(self.headers["Auth-Login-Attempt"]),
                path=self.path,
                headers=dict(self.headers.items()),
            )
            owner.asked.append(asked)
            self.send_response(200)
            for name, value in owner.decide(asked).items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (its name)
            """Stay silent."""

    return Handler
