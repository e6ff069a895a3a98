"""TLS of one server block towards clients: settings to a context."""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from proxycore.contract.protocol import Protocol
from proxycore.contract.tls import FrontTls
from proxycore.net.tls import callbacks, pem
from proxycore.net.tls.certificate import digest_of
from proxycore.net.tls.context import (
    new_context,
    revoke,
    run_commands,
    set_ciphers,
    set_curves,
    trust,
    unprovided,
    use_certificate,
)
from proxycore.net.tls.libssl import (
    CTRL_SESS_CACHE_MODE,
    CTRL_SESS_CACHE_SIZE,
    NULL,
    OP_CIPHER_SERVER_PREFERENCE,
    OP_NO_TICKET,
    SESS_CACHE_NO_AUTO_CLEAR,
    SESS_CACHE_NO_INTERNAL,
    SESS_CACHE_NO_INTERNAL_STORE,
    SESS_CACHE_OFF,
    SESS_CACHE_SERVER,
    VERIFY_PEER,
    crypto,
    errors,
    ssl,
)
from proxycore.net.tls.material import PARAMETERS, content, passphrases, shown, ticket_key
from proxycore.net.tls.refused import Refused
from proxycore.net.tls.tickets import TicketKeys
from proxycore.net.tls.zone import Zone

ALPN: Final[dict[Protocol, tuple[bytes, ...]]] = {
    Protocol.IMAP: (b"imap",),
    Protocol.POP3: (b"pop3",),
    Protocol.SMTP: (b"smtp", b"submission"),
}
"""Application protocols accepted, in our order. A client that offers only others is refused."""

_TICKETS = 1
"""Sent per full handshake: a client gets a new one each time it uses one, and each costs CPU."""

_FORGIVEN: Final = frozenset({18, 19, 20, 21, 27})
"""What ``optional_no_ca`` forgives: self-signed (itself or in its chain), issuer not known, cannot
be verified, not trusted."""


class FrontContext:
    """What all connections of a server block have in common."""

    __slots__ = (
        "_has_own_keys",
        "_has_ticket_callback",
        "alpn",
        "notices",
        "pointer",
        "tickets",
        "verify_client",
        "zone",
    )

    def __init__(
        self,
        front: FrontTls,
        *,
        scope: str,
        protocol: Protocol,
        tickets: TicketKeys | None = None,
        zones: Mapping[str, Zone] | None = None,
    ) -> None:
        """Raises ``Refused`` naming the setting that cannot be used.

        scope: the block's name. Sessions are resumed within it only, whatever keys are shared.
        tickets: keys all workers have, for a block without ``ssl_session_ticket_key``; without
            either, tickets are good for this context only.
        zones: shared caches by name; one that is missing is this context's own.
        """
        self.alpn = ALPN[protocol]
        self.verify_client = front.ssl_verify_client
        self.notices = unprovided(front.ssl_protocols)
        """What could not be provided and does no harm; for the log."""
        if front.ssl_certificate_compression:
            self.notices.append(
                '"ssl_certificate_compression" is not supported on this platform, ignored'
            )
        self.pointer: Any = new_context(ssl.TLS_server_method(), front.ssl_protocols)
        self.tickets = tickets
        self.zone: Zone | None = None
        ssl.SSL_CTX_set_alpn_select_cb(self.pointer, callbacks.choose_alpn, NULL)
        set_ciphers(self.pointer, front.ssl_ciphers, "ssl_ciphers")
        secrets = passphrases(front.ssl_password_file, "ssl_password_file")
        digest = self._present(front, secrets)
        self._verify(front, digest)
        self._parameters(front)
        self._sessions(front, zones or {})
        self._tickets(front)
        digest.update(scope.encode())
        ssl.SSL_CTX_set_session_id_context(self.pointer, digest.digest(), digest.digest_size)
        run_commands(self.pointer, front.ssl_conf_command, secrets, "ssl_conf_command")

    def _present(self, front: FrontTls, secrets: list[bytes]) -> Any:
        """Set certificates; give the digest that tells blocks apart (nginx: MAIL and the same)."""
        digest = hashlib.sha256(b"MAIL")
        for pair in front.certificates:
            leaf = use_certificate(
                self.pointer,
                pair.ssl_certificate,
                pair.ssl_certificate_key,
                secrets,
                ("ssl_certificate", "ssl_certificate_key"),
                self.notices,
            )
            digest.update(digest_of(leaf))
        return digest

    def _verify(self, front: FrontTls, digest: Any) -> None:
        if front.ssl_verify_client == "off":
            return
        # what was verified under other rules is not verified (CVE-2025-23419)
        for rule in (
            front.ssl_verify_client,
            str(front.ssl_verify_depth),
            front.ssl_client_certificate,
            front.ssl_trusted_certificate,
            front.ssl_crl,
        ):
            digest.update(b"%d:%b" % (len(rule), rule.encode()))
        ssl.SSL_CTX_set_verify(self.pointer, VERIFY_PEER, callbacks.accept_any)
        ssl.SSL_CTX_set_verify_depth(self.pointer, front.ssl_verify_depth)
        trust(self.pointer, front.ssl_client_certificate, "ssl_client_certificate", announced=True)
        trust(self.pointer, front.ssl_trusted_certificate, "ssl_trusted_certificate")
        revoke(self.pointer, front.ssl_crl, "ssl_crl")

    def _parameters(self, front: FrontTls) -> None:
        if front.ssl_prefer_server_ciphers:
            ssl.SSL_CTX_set_options(self.pointer, OP_CIPHER_SERVER_PREFERENCE)
        set_curves(self.pointer, front.ssl_ecdh_curve, "ssl_ecdh_curve")
        if front.ssl_dhparam:
            text = content(front.ssl_dhparam, "ssl_dhparam", PARAMETERS)
            parameters = pem.parameters(text, "ssl_dhparam", shown(front.ssl_dhparam))
            if ssl.SSL_CTX_set0_tmp_dh_pkey(self.pointer, parameters) != 1:
                crypto.EVP_PKEY_free(parameters)
                message = f"SSL_CTX_set0_tmp_dh_pkey() failed {errors()}"
                raise Refused("ssl_dhparam", message)

    def _sessions(self, front: FrontTls, zones: Mapping[str, Zone]) -> None:
        ssl.SSL_CTX_set_timeout(self.pointer, -(-front.ssl_session_timeout_ms // 1000))
        if front.ssl_session_cache == "off":
            self._control(CTRL_SESS_CACHE_MODE, SESS_CACHE_OFF)
            return
        if front.ssl_session_cache == "none":
            mode = SESS_CACHE_SERVER | SESS_CACHE_NO_AUTO_CLEAR | SESS_CACHE_NO_INTERNAL_STORE
            self._control(CTRL_SESS_CACHE_MODE, mode)
            self._control(CTRL_SESS_CACHE_SIZE, 1)
            return
        builtin = front.ssl_session_cache_builtin_count
        self._control(
            CTRL_SESS_CACHE_MODE, SESS_CACHE_SERVER | (0 if builtin else SESS_CACHE_NO_INTERNAL)
        )
        if builtin:
            self._control(CTRL_SESS_CACHE_SIZE, builtin)
        name = front.ssl_session_cache_shared_name
        if name:
            size = front.ssl_session_cache_shared_bytes
            self.zone = zones.get(name) or Zone(bytearray(size))
            ssl.SSL_CTX_sess_set_new_cb(self.pointer, callbacks.keep_session)
            ssl.SSL_CTX_sess_set_get_cb(self.pointer, callbacks.find_session)
            ssl.SSL_CTX_sess_set_remove_cb(self.pointer, callbacks.drop_session)

    def _tickets(self, front: FrontTls) -> None:
        ssl.SSL_CTX_set_num_tickets(self.pointer, _TICKETS)
        if not front.ssl_session_tickets:
            ssl.SSL_CTX_set_options(self.pointer, OP_NO_TICKET)
        self._has_own_keys = bool(front.ssl_session_ticket_key)
        if self._has_own_keys:
            self.tickets = TicketKeys([ticket_key(key) for key in front.ssl_session_ticket_key])
        self._has_ticket_callback = False
        if self.tickets is not None:
            self._call_for_tickets()

    def renew_tickets(self, tickets: TicketKeys) -> None:
        """Use these keys from now on, unless the block has its own."""
        if self._has_own_keys:
            return
        self.tickets = tickets
        if not self._has_ticket_callback:
            self._call_for_tickets()

    def _call_for_tickets(self) -> None:
        self._has_ticket_callback = True
        ssl.SSL_CTX_set_tlsext_ticket_key_evp_cb(self.pointer, callbacks.protect_ticket)

    def _control(self, command: int, value: int) -> None:
        ssl.SSL_CTX_ctrl(self.pointer, command, value, NULL)

    @property
    def asks(self) -> bool:
        """Clients are asked for a certificate."""
        return self.verify_client != "off"

    def forgives(self, code: int) -> bool:
        """Tell whether a certificate with this fault is good enough here."""
        return code == 0 or (self.verify_client == "optional_no_ca" and code in _FORGIVEN)
