"""TLS towards mail servers under one policy: settings to a context, and sessions to resume."""

from collections import OrderedDict
from typing import Any, Final

from proxycore.contract.tls import BackTls
from proxycore.net.tls import callbacks
from proxycore.net.tls.context import (
    new_context,
    revoke,
    run_commands,
    set_ciphers,
    trust,
    unprovided,
    use_certificate,
)
from proxycore.net.tls.libssl import (
    CTRL_SESS_CACHE_MODE,
    NULL,
    SESS_CACHE_CLIENT,
    SESS_CACHE_NO_INTERNAL,
    SESS_CACHE_OFF,
    VERIFY_NONE,
    VERIFY_PEER,
    crypto,
    owned,
    ssl,
)
from proxycore.net.tls.material import passphrases

_MOST_SESSIONS: Final = 1_000
_SESSION_S: Final = 300
"""How long a session with a mail server is good: a revoked certificate may be believed as long."""


class SystemRoots:
    """The authorities the system trusts, read when first needed: some 830 kB.

    Made anew by every snapshot, so that what the system trusts now is what counts, and shared by
    all policies in it.
    """

    __slots__ = ("_store",)

    def __init__(self) -> None:
        self._store: Any = None

    @property
    def store(self) -> Any:
        """The X509_STORE."""
        if self._store is None:
            self._store = _system_store()
        return self._store


def _system_store() -> Any:
    store = owned(crypto.X509_STORE_new(), crypto.X509_STORE_free)
    crypto.X509_STORE_set_default_paths(store)
    return store


class BackContext:
    """What all connections under one policy have in common: one for each ``BackTls``."""

    __slots__ = ("_sessions", "notices", "pins", "pointer", "policy")

    def __init__(self, back: BackTls, roots: SystemRoots | None = None) -> None:
        """Raises ``Refused`` naming the setting that cannot be used.

        roots: shared with other policies of the same snapshot.
        """
        self.policy = back
        self.notices = unprovided(back.proxy_ssl_protocols)
        """What could not be provided and does no harm; for the log."""
        self.pins = frozenset(back.proxy_ssl_pins)
        self._sessions: OrderedDict[str, Any] = OrderedDict()
        self.pointer: Any = new_context(ssl.TLS_client_method(), back.proxy_ssl_protocols)
        set_ciphers(self.pointer, back.proxy_ssl_ciphers, "proxy_ssl_ciphers")
        secrets = passphrases(back.proxy_ssl_password_file, "proxy_ssl_password_file")
        if back.proxy_ssl_certificate:
            use_certificate(
                self.pointer,
                back.proxy_ssl_certificate,
                back.proxy_ssl_certificate_key,
                secrets,
                ("proxy_ssl_certificate", "proxy_ssl_certificate_key"),
                self.notices,
            )
        self._verify(back, roots or SystemRoots())
        if back.proxy_ssl_session_reuse:
            mode = SESS_CACHE_CLIENT | SESS_CACHE_NO_INTERNAL
            ssl.SSL_CTX_sess_set_new_cb(self.pointer, callbacks.keep_back_session)
        else:
            mode = SESS_CACHE_OFF
        ssl.SSL_CTX_ctrl(self.pointer, CTRL_SESS_CACHE_MODE, mode, NULL)
        ssl.SSL_CTX_set_timeout(self.pointer, _SESSION_S)
        run_commands(self.pointer, back.proxy_ssl_conf_command, secrets, "proxy_ssl_conf_command")

    def _verify(self, back: BackTls, roots: SystemRoots) -> None:
        if not back.proxy_ssl_verify:
            ssl.SSL_CTX_set_verify(self.pointer, VERIFY_NONE, NULL)
            return
        ssl.SSL_CTX_set_verify(self.pointer, VERIFY_PEER, callbacks.judge_back)
        ssl.SSL_CTX_set_verify_depth(self.pointer, back.proxy_ssl_verify_depth)
        if self.pins:
            return
        if back.proxy_ssl_trusted_certificate:
            trust(self.pointer, back.proxy_ssl_trusted_certificate, "proxy_ssl_trusted_certificate")
        else:
            # lists of revoked certificates go into the store, which then is for nobody else
            store = _system_store() if back.proxy_ssl_crl else roots.store
            ssl.SSL_CTX_set1_cert_store(self.pointer, store)
        revoke(self.pointer, back.proxy_ssl_crl, "proxy_ssl_crl")

    def session(self, key: str) -> Any:
        """Give the newest session with this mail server; NULL without.

        It is used until a newer one comes. RFC 8446 §C.4 would have each used once, so that who
        listens cannot tell a client again: we do not hide, and a server that renews no tickets
        (Postfix) would be resumed every other time only.
        """
        found = self._sessions.get(key)
        if found is None:
            return NULL
        self._sessions.move_to_end(key)
        # OpenSSL spoils one of TLS 1.3 when it is used
        return owned(ssl.SSL_SESSION_dup(found), ssl.SSL_SESSION_free)

    def keep(self, key: str, session: Any) -> None:
        """Keep a session; its reference is ours."""
        self._sessions[key] = owned(session, ssl.SSL_SESSION_free)
        self._sessions.move_to_end(key)
        if len(self._sessions) > _MOST_SESSIONS:
            self._sessions.popitem(last=False)
