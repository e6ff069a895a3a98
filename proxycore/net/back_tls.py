"""The mail server's connection with TLS, from its first octet or after STARTTLS.

The machine says when it is to begin; from then on nothing leaves in clear, for what is to be sent
goes through the endpoint, which gives no octet before the handshake is done. Its time is that of
the login as a whole (``timeout``).

A mail server has several addresses: the next one is tried when one cannot be connected to, as
without TLS. It is not tried when TLS with it fails: one that is not whom we mean is an alarm and
not a mail server that is down.
"""

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from proxycore.contract.distrust import HINTS
from proxycore.contract.reasons import CloseReason
from proxycore.dialogue.commands import ConnectBack, SecureBack, SendBack
from proxycore.dialogue.events import BackBytes, BackClosed, BackConnected, BackFailed, BackSecured
from proxycore.net.back_leg import BackLeg
from proxycore.net.door import Door
from proxycore.net.tls.phase import Phase
from proxycore.net.tls.refused import Refused

if TYPE_CHECKING:
    from proxycore.net.tls.back import BackTlsEndpoint

_SHAKING: Final = "SSL handshaking to upstream"
_READING: Final = "reading response from upstream"

_BACK_CONNECTED: Final = BackConnected()
_BACK_SECURED: Final = BackSecured()
_BACK_CLOSED: Final = BackClosed()


class SecuredBackLeg(BackLeg):
    """Connects to a mail server, with TLS if it is wanted."""

    __slots__ = ("_back_name", "_back_tls", "_is_heard", "_opens_sealed")

    def __init__(self, door: Door, front: int, client: tuple[str, int], number: int) -> None:
        BackLeg.__init__(self, door, front, client, number)
        self._back_tls: BackTlsEndpoint | None = None
        """None: what is sent is sent in clear."""
        self._opens_sealed = False
        """TLS begins with the connection."""
        self._is_heard = False
        """The mail server has answered in TLS, so it is there."""
        self._back_name = ""
        """Name the mail server's certificate has to be for."""

    def _connect_back(self, command: ConnectBack) -> None:
        if command.proxy_ssl != "none":
            policy = self.block.back_policy
            try:
                self._back_name = policy.name_of(command.address, command.ssl_name)
            except Refused as refused:
                self._log("error", f"{refused.setting}: {refused}", _SHAKING)
                self._following = BackFailed(CloseReason.BACKEND_TLS_FAILED)
                return
        self._opens_sealed = command.proxy_ssl == "implicit"
        BackLeg._connect_back(self, command)  # noqa: SLF001  (its own)

    def _first_words(self) -> bytes:
        # by name here and below: every login would pay for what super() looks up
        words = BackLeg._first_words(self)  # noqa: SLF001  (its own)
        return words + self._begin_back_tls() if self._opens_sealed else words

    def _secure_back(self, _command: SecureBack) -> None:
        assert self._back_tls is None, "TLS inside TLS"
        self._back_out += self._begin_back_tls()

    def _begin_back_tls(self) -> bytes:
        self._is_heard = False
        self._back_tls = tls = self.block.back_policy.endpoint(self._back_name, self._upstream)
        return tls.start()

    def _send_back(self, command: SendBack) -> None:
        tls = self._back_tls
        self._back_out += command.data if tls is None else tls.write(command.data)

    def _drop_back(self) -> None:
        tls, self._back_tls = self._back_tls, None
        if tls is not None and self._back >= 0 and not self._back_out:
            self._part(tls.close())
        super()._drop_back()

    def _part(self, words: bytes) -> None:
        """Send what may be lost: a goodbye or an alert, which the other side may not wait for."""
        if words:
            with suppress(OSError):
                os.write(self._back, words)

    # --- reading ---

    def _take_back(self, data: bytes) -> None:
        tls = self._back_tls
        if tls is None:
            BackLeg._take_back(self, data)  # noqa: SLF001  (its own)
            return
        try:
            if tls.phase is Phase.HANDSHAKE:
                self._shake_back(tls, data)
            else:
                self._read_sealed(tls, data)
        except Exception as bug:  # noqa: BLE001  (our bug must end this session only)
            self._fail(bug)

    def _shake_back(self, tls: "BackTlsEndpoint", data: bytes) -> None:
        self._is_heard = True
        plain = tls.feed(data)
        if tls.phase is Phase.FAILED or not data:
            self._distrust(tls)
            return
        self._back_out += tls.take()
        if tls.phase is Phase.HANDSHAKE:
            self._flush_back()
            return
        self._following = BackBytes(plain) if plain else None
        if self._connected:
            self.deliver(_BACK_SECURED)
        else:
            self._note_connected()
            self.deliver(_BACK_CONNECTED)

    def _read_sealed(self, tls: "BackTlsEndpoint", data: bytes) -> None:
        plain = tls.feed(data)
        if tls.out:
            # before the machine speaks, and before a relay takes over what is waited for
            self._back_out += tls.take()
            self._flush_back()
        if plain:
            self.deliver(BackBytes(plain))
            if self._machine is None:
                # the login is decided
                return
        if tls.phase is Phase.FAILED:
            self._distrust(tls)
        elif tls.phase is Phase.ENDED or not data:
            self.deliver(_BACK_CLOSED)

    def _back_broke(self, problem: OSError) -> None:
        tls = self._back_tls
        if tls is not None and tls.phase is Phase.HANDSHAKE and self._is_reached:
            self._distrust(tls)
        else:
            super()._back_broke(problem)

    @property
    def _is_reached(self) -> bool:
        """It is not connect() that fails."""
        return self._connected or self._is_heard or not self._back_out

    def _distrust(self, tls: "BackTlsEndpoint") -> None:
        """Give a mail server up, and say why."""
        self._part(tls.take())
        failure = tls.failure
        action = _SHAKING if tls.facts is None else _READING
        reason = CloseReason.BACKEND_TLS_FAILED
        if failure is None:
            message = "upstream closed the connection in SSL handshake"
        elif tls.is_distrusted:
            reason = CloseReason.BACKEND_UNTRUSTED
            message = f"upstream SSL certificate verify error: {failure.reason}"
        else:
            hint = HINTS.get(failure.reason, "")
            message = f"{failure.detail}: {hint}" if hint else failure.detail
        self._log("error", message, action)
        self.deliver(BackFailed(reason))
