"""The relay of a session with TLS on one leg or on both: what is read is opened, then sealed.

Everything about masks, order and the end is the plain relay's; nothing is spliced. Memory is
bounded as there: one read, sealed, waits at most, and its source is not read meanwhile. Counted is
what passes in plain, when it is handed on.

What TLS itself says to a source (answers to key updates, alerts) goes behind whatever waits for
that peer. One that keeps provoking answers and takes none is cut off.

The end of a stream is close_notify, and a bare end is taken for one: mail clients often just go.
Ours goes out before a connection is shut for writing or closed, if there is room for it: in one
write with the last octets, where the end of the stream has come with them, as it does when a mail
server answers a LOGOUT.
"""

import select
from contextlib import suppress
from typing import Final

from proxycore.contract.reasons import CloseReason
from proxycore.net.log import USING_STARTTLS
from proxycore.net.reactor import READ
from proxycore.net.relay import Flow, Relay
from proxycore.net.sockets import read, write
from proxycore.net.tls.endpoint import Endpoint, Phase

SEALED_READ_BYTES: Final = 65_536
"""Most octets of one read: four records, for the price of one system call."""

_MOST_ANSWERS_BYTES: Final = 262_144

_ENDING: Final = select.EPOLLRDHUP
"""The end of the stream is there; octets may be, too, before it."""


class TlsRelay(Relay):
    """A session after login, where a leg has TLS. Made as ``Relay`` is; ``use`` comes first."""

    # no __init__ of its own: mypyc cannot pass on arguments that are not named
    __slots__ = ("_back_tls", "_ending", "_front_tls")

    def use(self, front_tls: Endpoint | None, back_tls: Endpoint | None) -> None:
        """Take over the TLS of both legs; None: that leg is in clear."""
        self._front_tls = front_tls
        self._back_tls = back_tls
        self._ending = False
        """The source that is being handled has ended."""

    def begin(self, waiting: tuple[bytes, bytes], to_front: bytes, to_back: bytes) -> None:
        """Take both sockets over; ``to_front`` and ``to_back`` are in plain.

        waiting: what the driver had for client and mail server and could not yet write, sealed
        where that leg has TLS.
        """
        self._to_front.held = waiting[0] or None
        self._to_back.held = waiting[1] or None
        self.start(to_front, to_back)
        if not self.over and (waiting[0] or waiting[1]):
            self._remask()
        if not self.over and self._front_tls is not None and self._to_front.mask == READ:
            # the mask stays READ: a change of it will do without
            self._block.context.reactor.change(self._to_front.source, READ | _ENDING)
        back = self._back_tls
        if back is not None and back.phase >= Phase.ENDED and not self._to_front.ended:
            # it said so together with what the driver has read
            failed = back.phase is Phase.FAILED
            self._source_ended(self._to_front, CloseReason.RELAY_ERROR if failed else None)

    @property
    def _shown_client(self) -> str:
        listens = self._block.server.listens
        if self._front_tls is None or any(
            listen.ssl for listen in listens if listen.key == self._listen
        ):
            return self._client
        return self._client + USING_STARTTLS

    def _tls_version(self) -> str:
        facts = None if self._front_tls is None else self._front_tls.facts
        return "" if facts is None else facts.protocol

    def _opener(self, flow: Flow) -> Endpoint | None:
        return self._front_tls if flow is self._to_back else self._back_tls

    def _sealer(self, flow: Flow) -> Endpoint | None:
        return self._back_tls if flow is self._to_back else self._front_tls

    # --- the way of the octets ---

    def on_ready(self, fd: int, events: int) -> None:
        """Handle a socket that can be read or written. The reactor calls this."""
        self._ending = events & _ENDING != 0
        Relay.on_ready(self, fd, events)

    def _carry(self, flow: Flow) -> None:
        try:
            data = read(flow.source, SEALED_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            self._source_ended(flow, CloseReason.RELAY_ERROR)
            return
        if not data:
            self._source_ended(flow, None)
        elif self._ending and self._opener(flow) is None:
            self._carry_last(flow, data)
        else:
            self._open(flow, data)

    def _carry_last(self, flow: Flow, data: bytes) -> None:
        """Hand on what a source in clear said before it ended, with our close_notify."""
        try:
            more = read(flow.source, SEALED_READ_BYTES)
        except OSError:
            # it breaks when it is read next, too
            self._open(flow, data)
            return
        sealer = self._sealer(flow)
        if more or sealer is None:
            self._open(flow, data + more)
            return
        flow.count += len(data)
        self._push(flow, sealer.write(data) + sealer.close())
        if not flow.ended:
            self._source_ended(flow, None)

    def _open(self, flow: Flow, data: bytes) -> None:
        opener = self._opener(flow)
        if opener is None:
            self._deliver(flow, data)
            return
        plain = opener.feed(data)
        if opener.out:
            self._answer(flow, opener)
        if plain and not flow.ended:
            self._deliver(flow, plain)
        if opener.phase >= Phase.ENDED and not flow.ended:
            failed = opener.phase is Phase.FAILED
            self._source_ended(flow, CloseReason.RELAY_ERROR if failed else None)

    def _deliver(self, flow: Flow, data: bytes) -> bool:
        """Seal, write, count; tell whether the sink took all of it."""
        flow.count += len(data)
        sealer = self._sealer(flow)
        return self._push(flow, data if sealer is None else sealer.write(data))

    def _push(self, flow: Flow, data: bytes) -> bool:
        """Write what is as it has to be; hold what the sink does not take."""
        if flow.held is not None:
            assert isinstance(flow.held, bytes)
            flow.held += data
            return False
        try:
            sent = write(flow.sink, data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._sink_broke(flow)
            return False
        if sent == len(data):
            return True
        self._hold(flow, data[sent:])
        return False

    def _flush(self, flow: Flow) -> None:
        held, flow.held = flow.held, None
        assert isinstance(held, bytes)
        if not self._push(flow, held):
            return
        if flow.ended:
            self._settle(flow)
        else:
            self._remask()

    def _answer(self, flow: Flow, opener: Endpoint) -> None:
        """Tell a source what TLS has to say to it."""
        other = self._to_front if flow is self._to_back else self._to_back
        answer = opener.take()
        if other.ended:
            # we have said that we say no more
            return
        self._push(other, answer)
        if isinstance(other.held, bytes) and len(other.held) > _MOST_ANSWERS_BYTES:
            self.end(CloseReason.RELAY_ERROR)

    # --- the end ---

    def _settle(self, flow: Flow) -> None:
        sealer = self._sealer(flow)
        farewell = b"" if sealer is None else sealer.close()
        if farewell and not self._push(flow, farewell):
            # with room it comes here again, with nothing left to say
            return
        super()._settle(flow)

    def end(self, reason: CloseReason) -> None:
        """Close both connections now, whatever is still held."""
        if self.over:
            return
        for flow in (self._to_back, self._to_front):
            sealer = self._sealer(flow)
            if sealer is not None and flow.held is None and (farewell := sealer.close()):
                with suppress(OSError):
                    write(flow.sink, farewell)
        super().end(reason)
        self._front_tls = self._back_tls = None
