"""Every directive, one row each: where it may stand, what it takes, which setting it becomes.

Inheritance is the same for all (directives.md §1.5): what a server block says of a field replaces
all that ``mail`` says of it, wherever in ``mail`` it stands. The rows stand in ``table_*``.
"""

from typing import Final

from proxycore.nginxconf import kinds
from proxycore.nginxconf.rows import BOTH, MAIN, SERVER, Row, ours
from proxycore.nginxconf.table_mail import AUTH_HTTP, CORE, PROTOCOLS
from proxycore.nginxconf.table_process import PROCESS
from proxycore.nginxconf.table_proxy import PROXY, ZIMBRA
from proxycore.nginxconf.table_tls import BACK_TLS, FRONT_TLS
from proxycore.nginxconf.values import FLAG, NUMBER, SIZE, TEXT, TIME, WORDS

_OURS: Final = (
    ours("name", SERVER, TEXT, "name"),
    Row(
        name="server_alias",
        contexts=SERVER,
        most=None,
        kind=WORDS,
        field="server_aliases",
        ours=True,
    ),
    Row(name="empty", contexts=SERVER, most=None, kind=kinds.EMPTY, field="empty", ours=True),
    ours("group", MAIN, TEXT, "process.group"),
    ours("pop3_client_buffer", BOTH, SIZE, "pop3_client_buffer_bytes"),
    Row(
        name="auth_http_backup",
        contexts=BOTH,
        most=None,
        kind=kinds.AUTH_BACKUPS,
        field="auth_http.backups",
        ours=True,
    ),
    ours("auth_http_ssl", BOTH, FLAG, "auth_http.ssl"),
    ours("auth_http_ssl_trusted_certificate", BOTH, TEXT, "auth_http.ssl_trusted_certificate"),
    ours("auth_http_keepalive", BOTH, NUMBER, "auth_http.keepalive"),
    ours("auth_http_node_token", BOTH, FLAG, "auth_http.send_node_token"),
    ours("auth_http_cache_ttl", BOTH, TIME, "auth_http.cache_ttl_ms"),
    ours("auth_http_cache_stale", BOTH, TIME, "auth_http.cache_stale_ms"),
)

ROWS: Final = (
    *PROCESS,
    *CORE,
    *PROTOCOLS,
    *AUTH_HTTP,
    *PROXY,
    *FRONT_TLS,
    *BACK_TLS,
    *ZIMBRA,
    *_OURS,
)

BY_NAME: Final[dict[str, tuple[Row, ...]]] = {
    row.name: tuple(other for other in ROWS if other.name == row.name) for row in ROWS
}
"""A name has more than one row when it means something else in another context."""
