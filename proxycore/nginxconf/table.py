"""Every directive, one row each: where it may stand, what it takes, which setting it becomes.

Inheritance is the same for all (directives.md §1.5): what a server block says of a field replaces
all that ``mail`` says of it, wherever in ``mail`` it stands.

If you build what a row says is not supported yet: give the row its ``kind`` and ``field``.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from proxycore.nginxconf import kinds, network
from proxycore.nginxconf.errorlogs import ERROR_LOG
from proxycore.nginxconf.listening import LISTEN
from proxycore.nginxconf.values import (
    FLAG,
    NUMBER,
    SESSION_TIME,
    SIZE,
    TEXT,
    TIME,
    TOKENS,
    WORDS,
    Kind,
    choice,
    mechanisms,
)


class Context(Enum):
    """Where a directive may stand."""

    MAIN = "main"
    EVENTS = "events"
    MAIL = "mail"
    SERVER = "server"


class Repeat(Enum):
    """What a second use of a directive in one block does."""

    REFUSE = "refuse"
    REPLACE = "replace"
    APPEND = "append"
    UNITE = "unite"


class Block(Enum):
    """What the block of a block directive is."""

    READ = "read"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One directive in the contexts where it means the same."""

    name: str
    contexts: frozenset[Context]
    least: int = 1
    most: int | None = 1
    """Fewest and most arguments; None is any number."""
    kind: Kind | None = None
    """None: nothing of it is built (see ``harmless``), or it has no effect (see ``remark``)."""
    field: str = ""
    """Setting of Server, or of AuthHttp or Process with a dotted prefix; what has one field is
    one thing under two names."""
    repeat: Repeat = Repeat.REFUSE
    block: Block | None = None
    harmless: tuple[str, ...] = ()
    """First arguments of something not built that ask for exactly what is done."""
    syntax: Kind | None = None
    """Of something not built: tells arguments that are wrong whether it is built or not."""
    remark: str = ""
    """Told when it is used: why it has no effect, or what to write instead."""
    warning: str = ""
    """Told in addition, whatever it says."""
    deprecated: bool = False
    """The remark is a warning and the directive has its effect."""
    ours: bool = False
    """Unknown to nginx; may also be written as a comment ``# postroad: …``."""


_MAIN: Final = frozenset({Context.MAIN})
_EVENTS: Final = frozenset({Context.EVENTS})
_MAIL: Final = frozenset({Context.MAIL})
_SERVER: Final = frozenset({Context.SERVER})
_BOTH: Final = _MAIL | _SERVER

_NO_EFFECT: Final = "has no effect: the reactor decides"
_SSL_DEPRECATED: Final = (
    'the "ssl" directive is deprecated, use the "listen ... ssl" directive instead'
)
_IMAP_AUTH: Final = mechanisms("plain", "login", "cram-md5", "external")
_POP3_AUTH: Final = mechanisms("plain", "apop", "cram-md5", "external")
_SMTP_AUTH: Final = mechanisms("plain", "login", "cram-md5", "external", "none")


def _one(name: str, contexts: frozenset[Context], kind: Kind, field: str) -> Row:
    return Row(name=name, contexts=contexts, kind=kind, field=field)


def _many(
    name: str, kind: Kind, field: str, repeat: Repeat = Repeat.APPEND, remark: str = ""
) -> Row:
    return Row(
        name=name,
        contexts=_BOTH,
        most=None,
        kind=kind,
        field=field,
        repeat=repeat,
        remark=remark,
        deprecated=bool(remark),
    )


def _idle(name: str, contexts: frozenset[Context], remark: str, kind: Kind | None = None) -> Row:
    return Row(name=name, contexts=contexts, kind=kind, remark=remark)


def _ours(name: str, contexts: frozenset[Context], kind: Kind, field: str) -> Row:
    return Row(name=name, contexts=contexts, kind=kind, field=field, ours=True)


def _later(
    name: str, *harmless: str, syntax: Kind | None = None, most: int | None = 1, **more: Any
) -> Row:
    return Row(name=name, contexts=_BOTH, most=most, harmless=harmless, syntax=syntax, **more)


_PROCESS: Final = (
    Row(name="user", contexts=_MAIN, most=2, kind=kinds.USER, field="process.user"),
    _one("worker_processes", _MAIN, kinds.WORKER_PROCESSES, "process.worker_processes"),
    _one("worker_shutdown_timeout", _MAIN, TIME, "process.worker_shutdown_timeout_ms"),
    _one("pid", _MAIN, TEXT, "process.pid"),
    Row(
        name="error_log",
        contexts=_MAIN,
        most=None,
        kind=ERROR_LOG,
        field="process.error_logs",
        repeat=Repeat.APPEND,
    ),
    _idle("daemon", _MAIN, "has no effect: postroad stays in the foreground", FLAG),
    _idle("master_process", _MAIN, "has no effect: there is always a supervisor", FLAG),
    Row(
        name="load_module",
        contexts=_MAIN,
        repeat=Repeat.REPLACE,
        remark="has no effect: no modules are loaded",
    ),
    _idle("worker_rlimit_nofile", _MAIN, "has no effect: the limit is the service manager's"),
    Row(
        name="worker_cpu_affinity",
        contexts=_MAIN,
        most=None,
        remark="has no effect: the system schedules workers",
    ),
    _idle("worker_priority", _MAIN, "has no effect: the service manager sets it"),
    _idle("pcre_jit", _MAIN, "has no effect: there are no regular expressions", FLAG),
    _idle("timer_resolution", _MAIN, _NO_EFFECT, TIME),
    _idle("lock_file", _MAIN, "has no effect: there is no accept lock"),
    Row(name="events", contexts=_MAIN, least=0, most=0, block=Block.READ),
    Row(name="mail", contexts=_MAIN, least=0, most=0, block=Block.READ, field="mail"),
    Row(
        name="imap",
        field="mail",
        contexts=_MAIN,
        least=0,
        most=0,
        block=Block.READ,
        remark='the "imap" block is deprecated, use the "mail" block instead',
        deprecated=True,
    ),
    *(
        Row(
            name=name,
            contexts=_MAIN,
            least=0,
            most=0,
            block=Block.SKIPPED,
            repeat=Repeat.REPLACE,
            remark="block is left out: postroad serves mail",
        )
        for name in ("http", "stream")
    ),
    _one("worker_connections", _EVENTS, kinds.WORKER_CONNECTIONS, "process.worker_connections"),
    _idle("multi_accept", _EVENTS, _NO_EFFECT, FLAG),
    _idle("use", _EVENTS, _NO_EFFECT),
    _idle("accept_mutex", _EVENTS, _NO_EFFECT, FLAG),
    _idle("accept_mutex_delay", _EVENTS, _NO_EFFECT, TIME),
    _idle("worker_aio_requests", _EVENTS, _NO_EFFECT, NUMBER),
)

_CORE: Final = (
    Row(name="server", contexts=_MAIL, least=0, most=0, block=Block.READ, repeat=Repeat.REPLACE),
    Row(
        name="listen",
        contexts=_SERVER,
        most=None,
        kind=LISTEN,
        field="listens",
        repeat=Repeat.APPEND,
    ),
    Row(
        name="protocol",
        contexts=_SERVER,
        kind=kinds.PROTOCOL,
        field="protocol",
        repeat=Repeat.REPLACE,
    ),
    Row(
        name="server_name",
        contexts=_BOTH,
        most=None,
        kind=kinds.SERVER_NAME,
        field="server_names",
    ),
    _one("timeout", _BOTH, SESSION_TIME, "timeout_ms"),
    _one("max_errors", _BOTH, NUMBER, "max_errors"),
    _ours("max_commands", _BOTH, NUMBER, "max_commands"),
    _ours("so_keepalive", _BOTH, kinds.SO_KEEPALIVE, "so_keepalive"),
    Row(name="resolver", contexts=_BOTH, most=None, kind=network.RESOLVER, field="resolver"),
    _one("resolver_timeout", _BOTH, TIME, "resolver_timeout_ms"),
    _many("error_log", ERROR_LOG, "error_logs"),
)

_PROTOCOLS: Final = (
    Row(
        name="imap_client_buffer",
        contexts=_BOTH,
        most=2,
        kind=kinds.CLIENT_BUFFER,
        field="imap_client_buffer_bytes",
    ),
    _many("imap_capabilities", WORDS, "imap_capabilities"),
    _many("imap_auth", _IMAP_AUTH, "imap_auth", Repeat.UNITE),
    _many("pop3_capabilities", WORDS, "pop3_capabilities"),
    _many("pop3_auth", _POP3_AUTH, "pop3_auth", Repeat.UNITE),
    _many(
        "auth",
        _POP3_AUTH,
        "pop3_auth",
        Repeat.UNITE,
        'the "auth" directive is deprecated, use the "pop3_auth" directive instead',
    ),
    *(
        Row(
            name=f"{protocol}_auth_tokens",
            contexts=_BOTH,
            most=None,
            kind=TOKENS,
            field=f"{protocol}_auth",
            repeat=Repeat.UNITE,
            ours=True,
        )
        for protocol in ("imap", "pop3", "smtp")
    ),
    _ours("imap_greeting", _BOTH, kinds.IMAP_GREETING, "imap_greeting"),
    _ours("pop3_greeting", _BOTH, kinds.POP3_GREETING, "pop3_greeting"),
    Row(name="imap_id", contexts=_BOTH, most=None, kind=kinds.IMAP_ID, field="imap_id", ours=True),
    _ours("proxy_issue_imap_id", _BOTH, FLAG, "proxy_issue_imap_id"),
    _one("smtp_client_buffer", _BOTH, SIZE, "smtp_client_buffer_bytes"),
    _many("smtp_capabilities", WORDS, "smtp_capabilities"),
    _many("smtp_auth", _SMTP_AUTH, "smtp_auth", Repeat.UNITE),
    _one("smtp_greeting_delay", _BOTH, TIME, "smtp_greeting_delay_ms"),
)

_AUTH_HTTP: Final = (
    Row(
        name="auth_http",
        contexts=_BOTH,
        kind=kinds.AUTH_HTTP,
        field="auth_http",
        repeat=Repeat.REPLACE,
    ),
    Row(
        name="auth_http_header",
        contexts=_BOTH,
        least=2,
        most=2,
        kind=kinds.HEADER,
        field="auth_http.headers",
        repeat=Repeat.APPEND,
    ),
    _one("auth_http_timeout", _BOTH, SESSION_TIME, "auth_http.timeout_ms"),
    _later("auth_http_pass_client_cert", "off", syntax=FLAG),
)

_PROXY: Final = (
    _idle("proxy", _BOTH, "has no effect, as in nginx: sessions are always proxied", FLAG),
    _one("proxy_buffer", _BOTH, SIZE, "proxy_buffer_bytes"),
    _one("proxy_pass_error_message", _BOTH, FLAG, "proxy_pass_error_message"),
    _one("proxy_timeout", _BOTH, SESSION_TIME, "proxy_timeout_ms"),
    _one("proxy_smtp_auth", _BOTH, FLAG, "proxy_smtp_auth"),
    _one("xclient", _BOTH, kinds.XCLIENT, "xclient"),
    _ours("xclient_legacy", _BOTH, FLAG, "xclient_legacy"),
    _one("proxy_protocol", _BOTH, network.PROXY_PROTOCOL, "proxy_protocol"),
    Row(
        name="set_real_ip_from",
        contexts=_BOTH,
        kind=network.REAL_IP,
        field="set_real_ip_from",
        repeat=Repeat.APPEND,
    ),
)

_TLS: Final = (
    _later("ssl", "off", syntax=FLAG, warning=_SSL_DEPRECATED),
    _later("starttls", "off", syntax=choice("off", "on", "only")),
    _later(
        "ssl_session_cache",
        "off",
        "none",
        syntax=kinds.SESSION_CACHE,
        most=2,
        repeat=Repeat.REPLACE,
    ),
    _later("ssl_protocols", syntax=kinds.TLS_PROTOCOLS, most=None, repeat=Repeat.REPLACE),
    _later("ssl_conf_command", least=2, most=2, repeat=Repeat.REPLACE),
    _later("ssl_verify_client", "off", syntax=choice("off", "on", "optional", "optional_no_ca")),
    _later("ssl_verify_depth", syntax=NUMBER),
    _later("ssl_session_timeout", syntax=TIME),
    *(
        _later(name, syntax=FLAG)
        for name in (
            "ssl_certificate_compression",
            "ssl_prefer_server_ciphers",
            "ssl_session_tickets",
        )
    ),
    *(
        _later(name, repeat=Repeat.REPLACE)
        for name in ("ssl_certificate", "ssl_certificate_key", "ssl_session_ticket_key")
    ),
    *(
        _later(name)
        for name in (
            "ssl_certificate_cache",
            "ssl_ciphers",
            "ssl_client_certificate",
            "ssl_crl",
            "ssl_dhparam",
            "ssl_ecdh_curve",
            "ssl_password_file",
            "ssl_trusted_certificate",
        )
    ),
)

_ZIMBRA: Final = (
    *(
        _later(name, "off", syntax=FLAG)
        for name in ("proxy_ssl", "imap_literalauth", "proxy_issue_pop3_xoip")
    ),
    *(
        _later(name)
        for name in (
            "proxy_ctimeout",
            "mail_login_ip_max",
            "mail_login_ip_ttl",
            "mail_login_user_max",
            "mail_login_user_ttl",
        )
    ),
    _later("mail_whitelist_ip", repeat=Repeat.REPLACE),
)
"""Directives of Zimbra's nginx whose names are taken for what is built later."""

_OURS: Final = (
    _ours("name", _SERVER, TEXT, "name"),
    Row(
        name="server_alias",
        contexts=_SERVER,
        most=None,
        kind=WORDS,
        field="server_aliases",
        ours=True,
    ),
    Row(name="empty", contexts=_SERVER, most=None, kind=kinds.EMPTY, field="empty", ours=True),
    _ours("group", _MAIN, TEXT, "process.group"),
    _ours("pop3_client_buffer", _BOTH, SIZE, "pop3_client_buffer_bytes"),
    Row(
        name="auth_http_backup",
        contexts=_BOTH,
        most=None,
        kind=kinds.AUTH_BACKUPS,
        field="auth_http.backups",
        ours=True,
    ),
    _ours("auth_http_ssl", _BOTH, FLAG, "auth_http.ssl"),
    _ours("auth_http_ssl_trusted_certificate", _BOTH, TEXT, "auth_http.ssl_trusted_certificate"),
    _ours("auth_http_keepalive", _BOTH, NUMBER, "auth_http.keepalive"),
    _ours("auth_http_node_token", _BOTH, FLAG, "auth_http.send_node_token"),
    _ours("auth_http_cache_ttl", _BOTH, TIME, "auth_http.cache_ttl_ms"),
    _ours("auth_http_cache_stale", _BOTH, TIME, "auth_http.cache_stale_ms"),
)

ROWS: Final = (*_PROCESS, *_CORE, *_PROTOCOLS, *_AUTH_HTTP, *_PROXY, *_TLS, *_ZIMBRA, *_OURS)

BY_NAME: Final[dict[str, tuple[Row, ...]]] = {
    row.name: tuple(other for other in ROWS if other.name == row.name) for row in ROWS
}
"""A name has more than one row when it means something else in another context."""
