"""A connection to an auth service: one question at a time, in clear or in TLS.

A pooled connection that dies before any octet of its reply had most likely been closed by the
service while it was idle, so the question is asked again, once, on a fresh one.
"""

import os
from typing import TYPE_CHECKING, Final

from proxycore.contract.authhttp import AuthFault, Verdict, read_reply_headers
from proxycore.contract.reasons import CloseReason
from proxycore.net.reactor import READ, WRITE
from proxycore.net.sockets import READ_BYTES, described
from proxycore.net.tls.phase import Phase
from proxycore.wire.http import BadReply, Body, Head, read_head

if TYPE_CHECKING:
    from proxycore.net.auth_endpoint import Endpoint
    from proxycore.net.auth_exchange import Exchange
    from proxycore.net.tls.back_context import BackContext

_FORBIDDEN: Final = 403
_SERVER_ERROR: Final = 500


class Connection:
    """One connection to an endpoint: asking, reading a body away, or idle in the pool."""

    __slots__ = ("_body", "_buffer", "_exchange", "_fd", "_out", "_used", "_watched", "endpoint")

    def __init__(self, endpoint: "Endpoint", fd: int) -> None:
        self.endpoint = endpoint
        self._fd = fd
        self._exchange: Exchange | None = None
        self._buffer = b""
        self._out = b""
        self._body: Body | None = None
        self._used = False
        self._watched = False
        endpoint.client.open_count += 1

    # --- asking ---

    def begin(self, exchange: "Exchange") -> AuthFault | None:
        """Send a question. A fault means that nothing was sent and this connection is closed."""
        out = self._out + self._sealed(self.endpoint.place.start + exchange.headers)
        try:
            # on the same host a fresh connection is writable here already
            sent = os.write(self._fd, out)
        except BlockingIOError:
            sent = 0
        except OSError as problem:
            self.close()
            return unreachable(problem)
        self._exchange = exchange
        exchange.connection = self
        self._out = out[sent:]
        reactor = self.endpoint.client.context.reactor
        events = READ | WRITE if self._out else READ
        if not self._watched:
            self._watched = True
            reactor.watch(self._fd, events, self._on_ready)
        elif self._out:
            reactor.change(self._fd, events)
        return None

    def _sealed(self, plain: bytes) -> bytes:
        """Give the octets to write for some to send."""
        return plain

    def _opened(self, octets: bytes) -> bytes | None:
        """Give what some octets read stand for; None: nothing yet."""
        return octets

    # --- events ---

    def _on_ready(self, fd: int, events: int) -> None:
        try:
            if events & WRITE and self._out:
                self._flush(fd)
                if events == WRITE:
                    return
            octets = os.read(fd, READ_BYTES)
        except BlockingIOError:
            return
        except OSError as problem:
            self._ended(unreachable(problem))
            return
        known = self.endpoint.known.get(octets)
        if known is not None and self._exchange is not None and not self._buffer:
            self._buffer = octets
            self._settle(self._exchange, *known)
            return
        data = self._opened(octets) if octets else octets
        if data is not None:
            self._take(data)

    def _flush(self, fd: int) -> None:
        self._out = self._out[os.write(fd, self._out) :]
        if not self._out:
            self.endpoint.client.context.reactor.change(fd, READ)

    def _take(self, data: bytes) -> None:
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

    def _read_answer(self, exchange: "Exchange") -> None:
        endpoint = self.endpoint
        answer = endpoint.known.get(self._buffer)
        if answer is None:
            try:
                head = read_head(self._buffer)
            except BadReply as bad:
                self._release()
                self.close()
                exchange.judged(endpoint, AuthFault(CloseReason.AUTH_INVALID, str(bad)))
                return
            if head is None:
                return
            answer = head, _judge(head, proves_node=endpoint.client.proves_node)
            endpoint.remember(self._buffer, *answer)
        self._settle(exchange, *answer)

    def _settle(self, exchange: "Exchange", head: Head, verdict: Verdict) -> None:
        """Part with a question that was answered."""
        exchange.connection = self._exchange = None
        self._go_on(head)
        exchange.judged(self.endpoint, verdict)

    def _go_on(self, head: Head) -> None:
        """Keep the connection if it can carry another question."""
        rest, self._buffer = self._buffer[head.end :], b""
        if not head.keep or self._out:
            self.close()
            return
        self._used = True
        if head.body == 0 and not rest:
            self._rest()
            return
        if not self.endpoint.client.keeps:
            self.close()
            return
        self._body = Body(head.body)
        if not self._body.take(rest):
            self.close()
        elif self._body.done:
            self._rest()

    # --- the end ---

    def _rest(self) -> None:
        self._body = None
        if not self.endpoint.client.rest(self):
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
            again = self.endpoint.send_fresh(exchange)
            if again is None:
                return
            fault = again
        exchange.judged(self.endpoint, fault)

    def close(self) -> None:
        """Close it, wherever it is."""
        if self._fd < 0:
            return
        client = self.endpoint.client
        client.context.reactor.close(self._fd)
        self._fd = -1
        self._buffer = self._out = b""
        self._body = None
        client.gone(self)


class TlsConnection(Connection):
    """The same inside TLS. What is to be asked waits for the handshake."""

    __slots__ = ("_plain", "_tls")

    def __init__(self, endpoint: "Endpoint", fd: int, context: "BackContext") -> None:
        super().__init__(endpoint, fd)
        place = endpoint.place
        # OpenSSL is in memory only where somebody speaks TLS
        from proxycore.net.tls.back import BackTlsEndpoint

        self._tls = BackTlsEndpoint(context, place.host, f"{place.host}:{place.port}")
        self._plain = b""
        self._out = self._tls.start()

    def _sealed(self, plain: bytes) -> bytes:
        if self._tls.phase is Phase.HANDSHAKE:
            self._plain = plain
            return b""
        return self._tls.write(plain)

    def _opened(self, octets: bytes) -> bytes | None:
        tls = self._tls
        data = tls.feed(octets)
        out = tls.take()
        if self._plain and tls.phase is Phase.OPEN:
            plain, self._plain = self._plain, b""
            out += tls.write(plain)
        self._push(out)
        if tls.failure is not None:
            fault = AuthFault(CloseReason.AUTH_UNAVAILABLE, f"TLS failed: {tls.failure.reason}")
            self._ended(fault)
            return None
        if data:
            return data
        return b"" if tls.phase is Phase.ENDED else None

    def _push(self, out: bytes) -> None:
        if not out:
            return
        waiting = bool(self._out)
        self._out += out
        if waiting:
            return
        try:
            sent = os.write(self._fd, self._out)
        except OSError:
            # what is wrong will be read
            sent = 0
        self._out = self._out[sent:]
        if self._out:
            self.endpoint.client.context.reactor.change(self._fd, READ | WRITE)


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


def unreachable(problem: OSError) -> AuthFault:
    """Say that a service could not be connected to, or the connection broke."""
    detail = f"could not be reached ({described(problem)})"
    return AuthFault(CloseReason.AUTH_UNAVAILABLE, detail)


def _cut_off(received: bytes) -> AuthFault:
    if received:
        return AuthFault(CloseReason.AUTH_INVALID, "closed the connection within its response")
    return AuthFault(CloseReason.AUTH_UNAVAILABLE, "closed the connection without a response")
