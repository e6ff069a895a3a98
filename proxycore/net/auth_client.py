"""Ask an auth_http service over HTTP, on the reactor.

``keepalive`` 0 asks as nginx does: HTTP/1.0 and one connection each, closed at the blank line.
Otherwise HTTP/1.1 connections are pooled, the last used first; those above ``keepalive`` a burst of
logins leaves are kept for the next burst, ``SURPLUS_S`` long. One that dies before any octet of
its reply had most likely been closed by the service while it was idle, so the question is asked
again, once, on a fresh one. One deadline covers all of it.
"""

import os
from collections.abc import Callable
from typing import Final

from proxycore.contract.authhttp import (
    NODE_TOKEN_HEADER,
    AuthFault,
    AuthOk,
    Verdict,
    read_reply_headers,
)
from proxycore.contract.reasons import CloseReason
from proxycore.contract.secret import Secret
from proxycore.contract.snapshot import AuthHttp
from proxycore.net.context import Context
from proxycore.net.reactor import READ, WRITE
from proxycore.net.sockets import READ_BYTES, Address, described, shown_address, start_connect
from proxycore.net.timers import Timer
from proxycore.wire.http import BadReply, Body, Head, read_head, render_start

Done = Callable[[Verdict], None]

_TIMED_OUT: Final = AuthFault(CloseReason.AUTH_TIMEOUT, "timed out (110: Connection timed out)")
SURPLUS_S: Final = 1.0
"""How long connections above ``keepalive`` are kept: closing and opening one costs a login more
than asking over it, and bursts come in rows."""

_MOST_KNOWN: Final = 64
_LONGEST_KNOWN_BYTES: Final = 1024
_FORBIDDEN: Final = 403
_SERVER_ERROR: Final = 500


class AuthClient:
    """One auth service as this worker asks it."""

    __slots__ = (
        "_end",
        "_idle",
        "_keepalive",
        "_start",
        "_timeout_s",
        "_trimming",
        "address",
        "away_until",
        "context",
        "known",
        "name",
        "proves_node",
        "retired",
    )

    def __init__(
        self,
        context: Context,
        auth_http: AuthHttp,
        address: Address | None,
        node_token: Secret | None,
    ) -> None:
        self.context = context
        self.name = shown_address(auth_http.host, auth_http.port)
        self.away_until = 0.0
        """Until then the service is taken to be out of reach (monotonic seconds)."""
        self.retired = False
        self.known: dict[bytes, tuple[Head, Verdict]] = {}
        """Replies read before, octet for octet: there are few, and reading one costs 7 µs."""
        self.proves_node = auth_http.send_node_token and node_token is not None
        self.address = address
        """Where to connect to; None while the name cannot be resolved."""
        self._keepalive = auth_http.keepalive
        self._timeout_s = auth_http.timeout_ms / 1000
        self._idle: list[_Connection] = []
        self._trimming: Timer | None = None
        keep = auth_http.keepalive > 0
        self._start = render_start(auth_http.uri, _host_header(auth_http, keep=keep), keep=keep)
        lines = [f"{header.name}: {header.value.reveal()}\r\n" for header in auth_http.headers]
        if auth_http.send_node_token and node_token is not None:
            lines.append(f"{NODE_TOKEN_HEADER}: {node_token.reveal()}\r\n")
        self._end = "".join([*lines, "\r\n"]).encode()

    def move_to(self, address: Address) -> None:
        """Connect to this address from now on: the name has been resolved at last."""
        self.address = address

    def ask(self, headers: bytes, done: Done) -> "Exchange | AuthFault":
        """Put a question; ``headers`` are those of contract.authhttp.

        ``done`` is told the verdict later, unless the exchange is cancelled; a failure that is
        known at once is returned instead.
        """
        exchange = Exchange(self, b"".join((self._start, headers, self._end)), done)
        fault = self._send(exchange)
        if fault is not None:
            return fault
        exchange.arm(self._timeout_s)
        return exchange

    def _send(self, exchange: "Exchange") -> AuthFault | None:
        while self._idle:
            if self._idle.pop().begin(exchange) is None:
                return None
        return self.send_fresh(exchange)

    def send_fresh(self, exchange: "Exchange") -> AuthFault | None:
        """Put the question on a new connection; give the fault that shows at once."""
        if self.address is None:
            return AuthFault(CloseReason.AUTH_UNAVAILABLE, "could not be resolved")
        try:
            connection = _Connection(self, start_connect(self.address))
        except OSError as problem:
            return _unreachable(problem)
        return connection.begin(exchange)

    def rest(self, connection: "_Connection") -> bool:
        """Take a connection into the pool; tell whether there was room."""
        if self.retired:
            return False
        self._idle.append(connection)
        if len(self._idle) > self._keepalive and self._trimming is None:
            self._trimming = self.context.reactor.call_later(SURPLUS_S, self._trim)
        return True

    def _trim(self) -> None:
        """Close what is idle above ``keepalive``, those that were used least recently."""
        self._trimming = None
        for connection in self._idle[: max(0, len(self._idle) - self._keepalive)]:
            connection.close()

    def remove(self, connection: "_Connection") -> None:
        """Take a connection that ended out of the pool, if it is there."""
        if connection in self._idle:
            self._idle.remove(connection)

    @property
    def keeps(self) -> bool:
        """Connections are kept."""
        return self._keepalive > 0 and not self.retired

    @property
    def idle_count(self) -> int:
        """Connections in the pool."""
        return len(self._idle)

    def retire(self) -> None:
        """No new session asks here: keep nothing. Exchanges under way come to their end."""
        self.retired = True
        if self._trimming is not None:
            self._trimming.cancel()
        while self._idle:
            self._idle[-1].close()


class Exchange:
    """One question and its answer."""

    __slots__ = ("_client", "_done", "_timer", "connection", "request", "retried")

    def __init__(self, client: AuthClient, request: bytes, done: Done) -> None:
        self._client = client
        self._done: Done | None = done
        self._timer: Timer | None = None
        self.request = request
        self.retried = False
        self.connection: _Connection | None = None

    def arm(self, timeout_s: float) -> None:
        """Start the deadline."""
        self._timer = self._client.context.reactor.call_later(timeout_s, self._time_out)

    def _time_out(self) -> None:
        self._drop_connection()
        self.finish(_TIMED_OUT)

    def finish(self, verdict: Verdict) -> None:
        """Tell who asked."""
        done, self._done = self._done, None
        if self._timer is not None:
            self._timer.cancel()
        if done is not None:
            done(verdict)

    def cancel(self) -> None:
        """Nobody waits any more."""
        self._done = None
        if self._timer is not None:
            self._timer.cancel()
        self._drop_connection()

    def _drop_connection(self) -> None:
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.close()

    def __repr__(self) -> str:
        # the request holds a password
        return f"Exchange({self._client.name})"


class _Connection:
    """One connection to the service: asking, reading a body away, or idle in the pool."""

    __slots__ = ("_body", "_buffer", "_client", "_exchange", "_fd", "_out", "_used", "_watched")

    def __init__(self, client: AuthClient, fd: int) -> None:
        self._client = client
        self._fd = fd
        self._exchange: Exchange | None = None
        self._buffer = b""
        self._out = b""
        self._body: Body | None = None
        self._used = False
        self._watched = False

    def begin(self, exchange: Exchange) -> AuthFault | None:
        """Send a question. A fault means that nothing was sent and this connection is closed."""
        try:
            # on the same host a fresh connection is writable here already
            sent = os.write(self._fd, exchange.request)
        except BlockingIOError:
            sent = 0
        except OSError as problem:
            self.close()
            return _unreachable(problem)
        self._exchange = exchange
        exchange.connection = self
        self._out = exchange.request[sent:]
        reactor = self._client.context.reactor
        events = READ | WRITE if self._out else READ
        if not self._watched:
            self._watched = True
            reactor.watch(self._fd, events, self._on_ready)
        elif self._out:
            reactor.change(self._fd, events)
        return None

    def _on_ready(self, fd: int, events: int) -> None:
        try:
            if events & WRITE and self._out:
                sent = os.write(fd, self._out)
                self._out = self._out[sent:]
                if not self._out:
                    self._client.context.reactor.change(fd, READ)
                if events == WRITE:
                    return
            data = os.read(fd, READ_BYTES)
        except BlockingIOError:
            return
        except OSError as problem:
            self._ended(_unreachable(problem))
            return
        if not data:
            self._ended(_cut_off(self._buffer))
        elif self._exchange is not None:
            self._buffer += data
            self._read_answer(self._exchange)
        elif self._body is None or not self._body.take(data):
            # nobody asked for that
            self.close()
        elif self._body.done:
            self._rest()

    def _read_answer(self, exchange: Exchange) -> None:
        known = self._client.known
        answer = known.get(self._buffer)
        if answer is None:
            try:
                head = read_head(self._buffer)
            except BadReply as bad:
                self._release()
                self.close()
                exchange.finish(AuthFault(CloseReason.AUTH_INVALID, str(bad)))
                return
            if head is None:
                return
            answer = head, _judge(head, proves_node=self._client.proves_node)
            if _is_worth_knowing(self._buffer, answer[1]):
                if len(known) >= _MOST_KNOWN:
                    known.clear()
                known[self._buffer] = answer
        self._release()
        self._go_on(answer[0])
        exchange.finish(answer[1])

    def _go_on(self, head: Head) -> None:
        """Keep the connection if it can carry another question."""
        rest, self._buffer = self._buffer[head.end :], b""
        if not (head.keep and self._client.keeps) or self._out:
            self.close()
            return
        self._used = True
        if head.body == 0 and not rest:
            self._rest()
            return
        self._body = Body(head.body)
        if not self._body.take(rest):
            self.close()
        elif self._body.done:
            self._rest()

    def _rest(self) -> None:
        self._body = None
        if not self._client.rest(self):
            self.close()

    def _release(self) -> None:
        if self._exchange is not None:
            self._exchange.connection = None
            self._exchange = None

    def _ended(self, fault: AuthFault) -> None:
        exchange, unanswered = self._exchange, not self._buffer
        self._release()
        self.close()
        if exchange is None:
            return
        if self._used and unanswered and not exchange.retried:
            exchange.retried = True
            again = self._client.send_fresh(exchange)
            if again is None:
                return
            fault = again
        exchange.finish(fault)

    def close(self) -> None:
        """Close it, wherever it is."""
        if self._fd < 0:
            return
        self._client.remove(self)
        self._client.context.reactor.close(self._fd)
        self._fd = -1
        self._buffer = self._out = b""
        self._body = None


def _is_worth_knowing(reply: bytes, verdict: Verdict) -> bool:
    """Tell whether a reply is one that many logins get: all of one mail server, nobody's own."""
    return (
        isinstance(verdict, AuthOk)
        and verdict.login is None
        and verdict.password is None
        and len(reply) <= _LONGEST_KNOWN_BYTES
    )


def _judge(head: Head, *, proves_node: bool) -> Verdict:
    """Read the verdict; the status only helps where there is none (nginx never looks at it)."""
    if proves_node and head.status == _FORBIDDEN:
        return AuthFault(
            CloseReason.AUTH_INVALID,
            "does not accept this node's token (HTTP 403): the node has to be enrolled again",
        )
    verdict = read_reply_headers(head.lines)
    if isinstance(verdict, AuthFault) and head.status not in (0, 200):
        # an error page says that the service is not well, not that it speaks nonsense
        away = head.status >= _SERVER_ERROR
        reason = CloseReason.AUTH_UNAVAILABLE if away else verdict.reason
        return AuthFault(reason, f"{verdict.detail} (HTTP {head.status})")
    return verdict


def _unreachable(problem: OSError) -> AuthFault:
    detail = f"could not be reached ({described(problem)})"
    return AuthFault(CloseReason.AUTH_UNAVAILABLE, detail)


def _cut_off(received: bytes) -> AuthFault:
    if received:
        return AuthFault(CloseReason.AUTH_INVALID, "closed the connection within its response")
    return AuthFault(CloseReason.AUTH_UNAVAILABLE, "closed the connection without a response")


def _host_header(auth_http: AuthHttp, *, keep: bool) -> str:
    """Give ``Host``: nginx never sends a port; HTTP/1.1 wants it (RFC 9110 §7.2)."""
    if auth_http.host.startswith("unix:"):
        return "localhost"
    host = f"[{auth_http.host}]" if ":" in auth_http.host else auth_http.host
    return f"{host}:{auth_http.port}" if keep and auth_http.port != 80 else host
