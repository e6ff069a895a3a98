"""A client's connection: we are the TLS server."""

from collections.abc import Callable
from typing import Final

from proxycore.net.tls.certificate import facts_of
from proxycore.net.tls.endpoint import (
    Endpoint,
    Failure,
    Handshake,
    Phase,
    agreed_cipher,
    agreed_protocol,
    new_ssl,
    string,
)
from proxycore.net.tls.front_context import FrontContext
from proxycore.net.tls.hello import LONGEST_HELLO_BYTES, HelloReader
from proxycore.net.tls.libssl import NULL, crypto, owned, ssl
from proxycore.net.tls.refused import Refused

NO_CERTIFICATE: Final = "No required SSL certificate"
BAD_CERTIFICATE: Final = "SSL certificate error"
"""What nginx answers in the mail protocol, and then hangs up."""

_FATAL: Final = b"\x15\x03\x01\x00\x02\x02"
_DECODE_ERROR: Final = b"\x32"
_INTERNAL_ERROR: Final = b"\x50"

Choose = Callable[[str], FrontContext]
"""Gives the context of a server name; the empty name is no name. May raise ``Refused``."""


class FrontTlsEndpoint(Endpoint):
    """One client. Until its ClientHello is complete there is no OpenSSL object at all."""

    __slots__ = ("_choose", "_hello", "_reader", "alpn", "server_name")

    def __init__(self, choose: Choose) -> None:
        super().__init__(None)
        self._choose: Choose | None = choose
        self._hello = b""
        self._reader: HelloReader | None = None
        self.server_name = ""
        """Name the client asked for; known with ``context``, before the handshake is over."""
        self.alpn = ""
        """Application protocol that ``choose_alpn`` took; OpenSSL need not be asked for it."""

    def feed(self, data: bytes) -> bytes:
        """Take ciphertext; give the plaintext it completes (see ``Endpoint.feed``)."""
        if self._choose is None:
            return super().feed(data)
        if self.phase is Phase.FAILED:
            return b""
        self._hello += data
        if self._reader is None:
            self._reader = HelloReader()
        hello = self._reader.read(self._hello)
        if hello is None:
            if len(self._hello) > LONGEST_HELLO_BYTES:
                self._refuse(_DECODE_ERROR, "the ClientHello is too long")
            return b""
        self.server_name = hello.server_name
        try:
            self.context = self._choose(hello.server_name)
        except Refused as problem:
            self._refuse(_INTERNAL_ERROR, str(problem), is_ours=True)
            return b""
        self._ssl = new_ssl(self.context.pointer)
        ssl.SSL_set_accept_state(self._ssl)
        octets, self._hello, self._choose, self._reader = self._hello, b"", None, None
        return super().feed(octets)

    def _refuse(self, alert: bytes, reason: str, *, is_ours: bool = False) -> None:
        self._hello, self._choose, self._reader = b"", None, None
        self.failure = Failure(reason, f"SSL handshake refused: {reason}", is_ours)
        self.phase = Phase.FAILED
        self.out += _FATAL + alert

    @property
    def refusal(self) -> str:
        """What the client is to be told instead of a greeting; empty when all is well.

        Source: ngx_mail_verify_cert; dialogues §5.
        """
        facts = self.facts
        if facts is None or not self.context.asks:
            return ""
        if not self.context.forgives(facts.verify_code):
            return BAD_CERTIFICATE
        return NO_CERTIFICATE if facts.peer is None and self.context.verify_client == "on" else ""

    def _on_open(self) -> None:
        if self.refusal:
            ssl.SSL_CTX_remove_session(self.context.pointer, ssl.SSL_get_session(self._ssl))

    def _agreed(self) -> Handshake:
        pointer = self._ssl
        peer, code, verify = None, 0, ""
        if self.context.asks:
            code = ssl.SSL_get_verify_result(pointer)
            certificate = ssl.SSL_get1_peer_certificate(pointer)
            if certificate == NULL:
                verify = "NONE"
            else:
                peer = facts_of(owned(certificate, crypto.X509_free))
                why = string(crypto.X509_verify_cert_error_string(code))
                verify = f"FAILED:{why}" if code else "SUCCESS"
        return Handshake(
            protocol=agreed_protocol(pointer),
            cipher=agreed_cipher(pointer),
            server_name=self.server_name,
            alpn=self.alpn,
            resumed=bool(ssl.SSL_session_reused(pointer)),
            verify=verify,
            verify_code=code,
            peer=peer,
        )
