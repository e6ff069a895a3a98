"""Whom mail servers have to prove to be, per server block, and what is kept for that."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from proxycore.contract.server_names import is_address
from proxycore.contract.tls import BackTls
from proxycore.net.names import is_ip_address
from proxycore.net.tls.refused import Refused

if TYPE_CHECKING:
    from proxycore.net.tls.back import BackTlsEndpoint
    from proxycore.net.tls.back_context import BackContext, SystemRoots


class BackPolicy:
    """A ``BackTls``, with its context from when it is first needed.

    Needed it may be where ``proxy_ssl`` is ``none``: Auth-Proxy-SSL asks for TLS by itself, and
    then all the other settings hold.
    """

    __slots__ = ("_context", "_roots", "_settings")

    def __init__(self, settings: BackTls, roots: "Callable[[], SystemRoots]") -> None:
        self._settings = settings
        self._roots = roots
        self._context: BackContext | None = None

    def name_of(self, host: str, asked: str) -> str:
        """Give the name a mail server's certificate has to be for, and that it is told (SNI).

        host: the mail server as the route has it; asked: Auth-Proxy-SSL-Name.
        Raises ``Refused`` where there would be nothing to check, or a setting cannot be used.
        """
        settings = self._settings
        name = asked or settings.proxy_ssl_name or ("" if host.startswith("unix:") else host)
        # neither a certificate nor SNI has a final dot (RFC 6066 §3)
        name = name.removesuffix(".")
        if not name and settings.proxy_ssl_verify and not settings.proxy_ssl_pins:
            message = "a mail server on a unix socket has no name of its own to be verified"
            raise Refused("proxy_ssl_name", message)
        if is_address(name) and not is_ip_address(name):
            raise Refused("proxy_ssl_name", f'"{name}" is nothing a certificate can be for')
        self._ready()
        return name

    def endpoint(self, name: str, address: str) -> "BackTlsEndpoint":
        """Begin a connection. ``name``: from ``name_of``; ``address``: where it goes."""
        from proxycore.net.tls.back import BackTlsEndpoint

        return BackTlsEndpoint(self._ready(), name, address)

    def _ready(self) -> "BackContext":
        if self._context is None:
            # OpenSSL and what calls it are in memory only where somebody speaks TLS
            from proxycore.net.tls.back_context import BackContext

            self._context = BackContext(self._settings, self._roots())
        return self._context


class BackPolicies:
    """All policies of a worker: one for each distinct ``BackTls``, kept while it is in use.

    What is kept with it are the sessions to resume, and the system's authorities as they were when
    they were read.
    """

    __slots__ = ("_known", "_roots")

    def __init__(self) -> None:
        self._known: dict[BackTls, BackPolicy] = {}
        self._roots: SystemRoots | None = None

    def policy(self, settings: BackTls) -> BackPolicy:
        """Give the policy of these settings."""
        if settings not in self._known:
            self._known[settings] = BackPolicy(settings, self._system_roots)
        return self._known[settings]

    def _system_roots(self) -> "SystemRoots":
        if self._roots is None:
            from proxycore.net.tls.back_context import SystemRoots

            self._roots = SystemRoots()
        return self._roots

    def keep(self, wanted: Iterable[BackTls]) -> None:
        """Forget all others; sessions that have one keep it."""
        wanted = set(wanted)
        self._known = {key: policy for key, policy in self._known.items() if key in wanted}
