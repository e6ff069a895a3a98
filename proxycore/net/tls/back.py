"""A connection to a mail server: we are the TLS client.

One class for implicit TLS and STARTTLS, so no policy can be forgotten on one of the ways
(CVE-2013-4584). A server that does not prove to be the one meant fails the handshake before it
learns anything, our own certificate included.
"""

from typing import Any

from proxycore.contract.distrust import NOT_PINNED, Shown
from proxycore.contract.distrust import explained as distrusted
from proxycore.contract.server_names import is_address
from proxycore.net.tls.back_context import BackContext
from proxycore.net.tls.certificate import facts_of, names_of, pin_of, subject_of, validity_of
from proxycore.net.tls.endpoint import (
    Endpoint,
    Handshake,
    agreed_alpn,
    agreed_cipher,
    agreed_protocol,
    new_ssl,
    string,
)
from proxycore.net.tls.libssl import (
    CTRL_SERVER_NAME,
    NO_PARTIAL_WILDCARDS,
    NULL,
    crypto,
    ffi,
    owned,
    ssl,
)
from proxycore.net.tls.refused import Refused


class BackTlsEndpoint(Endpoint):
    """One connection to a mail server. ``start`` gives what is to be sent first."""

    __slots__ = ("_judged", "_key", "name")

    def __init__(self, context: BackContext, name: str, address: str) -> None:
        """``name``: what the certificate has to be for; ``address``: where it is, for resuming."""
        super().__init__(context)
        self.name = name
        self._key = f"{self.name} {address}"
        self._judged = ""
        self._ssl = new_ssl(context.pointer)
        ssl.SSL_set_connect_state(self._ssl)
        self._set_name(context)
        if context.policy.proxy_ssl_session_reuse:
            session = context.session(self._key)
            if session != NULL:
                ssl.SSL_set_session(self._ssl, session)

    @property
    def is_distrusted(self) -> bool:
        """The mail server did not prove to be the one meant."""
        return bool(self._judged)

    def _set_name(self, context: BackContext) -> None:
        text = ffi.new("char[]", self.name.encode("ascii", "replace"))
        address = is_address(self.name)
        if context.policy.proxy_ssl_server_name and self.name and not address:
            # RFC 6066 §3: an address is not a name to ask for
            ssl.SSL_ctrl(self._ssl, CTRL_SERVER_NAME, 0, text)
        if not context.policy.proxy_ssl_verify or context.pins:
            return
        if address:
            done = crypto.X509_VERIFY_PARAM_set1_ip_asc(ssl.SSL_get0_param(self._ssl), text)
        else:
            ssl.SSL_set_hostflags(self._ssl, NO_PARTIAL_WILDCARDS)
            # no name would mean any
            done = ssl.SSL_set1_host(self._ssl, text) if self.name else 0
        if done != 1:
            raise Refused("proxy_ssl_name", f'"{self.name}" is nothing a certificate can be for')

    def start(self) -> bytes:
        """Begin the handshake: give the ClientHello."""
        self.feed(b"")
        return self.take()

    # --- what callbacks ask ---

    def judge(self, good: int, store: Any) -> int:
        """Judge a certificate of the chain: 1 goes on, 0 ends the handshake with an alert."""
        if self.context.pins:
            if pin_of(crypto.X509_STORE_CTX_get0_cert(store)) in self.context.pins:
                crypto.X509_STORE_CTX_set_error(store, 0)
                return 1
            crypto.X509_STORE_CTX_set_error(store, NOT_PINNED)
            good = 0
        if not good:
            code = crypto.X509_STORE_CTX_get_error(store)
            certificate = crypto.X509_STORE_CTX_get_current_cert(store)
            if certificate == NULL:
                certificate = crypto.X509_STORE_CTX_get0_cert(store)
            self._judged = explained(code, certificate, self.name)
        return good

    def keep_session(self, session: Any) -> None:
        """Keep a session for the next connection to this mail server."""
        self.context.keep(self._key, session)

    # --- inside an operation ---

    def _why(self) -> str:
        return self._judged

    def _agreed(self) -> Handshake:
        pointer = self._ssl
        certificate = ssl.SSL_get1_peer_certificate(pointer)
        verified = self.context.policy.proxy_ssl_verify
        return Handshake(
            protocol=agreed_protocol(pointer),
            cipher=agreed_cipher(pointer),
            server_name=self.name if self.context.policy.proxy_ssl_server_name else "",
            alpn=agreed_alpn(pointer),
            resumed=bool(ssl.SSL_session_reused(pointer)),
            verify="SUCCESS" if verified else "",
            verify_code=0,
            peer=None if certificate == NULL else facts_of(owned(certificate, crypto.X509_free)),
        )


def explained(code: int, certificate: Any, name: str) -> str:
    """Say what is wrong with a mail server's certificate, and what the operator may look at."""
    since, until = validity_of(certificate)
    shown = Shown(subject_of(certificate), since, until, names_of(certificate), pin_of(certificate))
    return distrusted(code, string(crypto.X509_verify_cert_error_string(code)), shown, name)
