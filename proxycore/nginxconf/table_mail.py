"""Directives of the front: sockets, dialogues, and who decides about logins."""

from typing import Final

from proxycore.nginxconf import kinds, network
from proxycore.nginxconf.errorlogs import ACCESS_LOG, ERROR_LOG
from proxycore.nginxconf.listening import LISTEN
from proxycore.nginxconf.rows import BOTH, MAIL, SERVER, Block, Repeat, Row, many, one, ours
from proxycore.nginxconf.values import (
    FLAG,
    NUMBER,
    SESSION_TIME,
    SIZE,
    TIME,
    TOKENS,
    WORDS,
    mechanisms,
)

_IMAP_AUTH: Final = mechanisms("plain", "login", "cram-md5", "external")
_POP3_AUTH: Final = mechanisms("plain", "apop", "cram-md5", "external")
_SMTP_AUTH: Final = mechanisms("plain", "login", "cram-md5", "external", "none")

CORE: Final = (
    Row(name="server", contexts=MAIL, least=0, most=0, block=Block.READ, repeat=Repeat.REPLACE),
    Row(
        name="listen",
        contexts=SERVER,
        most=None,
        kind=LISTEN,
        field="listens",
        repeat=Repeat.APPEND,
    ),
    Row(
        name="protocol",
        contexts=SERVER,
        kind=kinds.PROTOCOL,
        field="protocol",
        repeat=Repeat.REPLACE,
    ),
    Row(
        name="server_name",
        contexts=BOTH,
        most=None,
        kind=kinds.SERVER_NAME,
        field="server_names",
    ),
    one("timeout", BOTH, SESSION_TIME, "timeout_ms"),
    one("max_errors", BOTH, NUMBER, "max_errors"),
    ours("max_commands", BOTH, NUMBER, "max_commands"),
    ours("so_keepalive", BOTH, kinds.SO_KEEPALIVE, "so_keepalive"),
    Row(name="resolver", contexts=BOTH, most=None, kind=network.RESOLVER, field="resolver"),
    one("resolver_timeout", BOTH, TIME, "resolver_timeout_ms"),
    many("error_log", ERROR_LOG, "error_logs"),
    Row(
        name="access_log",
        contexts=BOTH,
        kind=ACCESS_LOG,
        field="access_logs",
        repeat=Repeat.APPEND,
        ours=True,
    ),
)

PROTOCOLS: Final = (
    Row(
        name="imap_client_buffer",
        contexts=BOTH,
        most=2,
        kind=kinds.CLIENT_BUFFER,
        field="imap_client_buffer_bytes",
    ),
    many("imap_capabilities", WORDS, "imap_capabilities"),
    many("imap_auth", _IMAP_AUTH, "imap_auth", Repeat.UNITE),
    many("pop3_capabilities", WORDS, "pop3_capabilities"),
    many("pop3_auth", _POP3_AUTH, "pop3_auth", Repeat.UNITE),
    many(
        "auth",
        _POP3_AUTH,
        "pop3_auth",
        Repeat.UNITE,
        'the "auth" directive is deprecated, use the "pop3_auth" directive instead',
    ),
    *(
        Row(
            name=f"{protocol}_auth_tokens",
            contexts=BOTH,
            most=None,
            kind=TOKENS,
            field=f"{protocol}_auth",
            repeat=Repeat.UNITE,
            ours=True,
        )
        for protocol in ("imap", "pop3", "smtp")
    ),
    ours("imap_greeting", BOTH, kinds.IMAP_GREETING, "imap_greeting"),
    ours("pop3_greeting", BOTH, kinds.POP3_GREETING, "pop3_greeting"),
    Row(name="imap_id", contexts=BOTH, most=None, kind=kinds.IMAP_ID, field="imap_id", ours=True),
    ours("proxy_issue_imap_id", BOTH, FLAG, "proxy_issue_imap_id"),
    one("smtp_client_buffer", BOTH, SIZE, "smtp_client_buffer_bytes"),
    many("smtp_capabilities", WORDS, "smtp_capabilities"),
    many("smtp_auth", _SMTP_AUTH, "smtp_auth", Repeat.UNITE),
    one("smtp_greeting_delay", BOTH, TIME, "smtp_greeting_delay_ms"),
)

AUTH_HTTP: Final = (
    Row(
        name="auth_http",
        contexts=BOTH,
        kind=kinds.AUTH_HTTP,
        field="auth_http",
        repeat=Repeat.REPLACE,
    ),
    Row(
        name="auth_http_header",
        contexts=BOTH,
        least=2,
        most=2,
        kind=kinds.HEADER,
        field="auth_http.headers",
        repeat=Repeat.APPEND,
    ),
    one("auth_http_timeout", BOTH, SESSION_TIME, "auth_http.timeout_ms"),
    one("auth_http_pass_client_cert", BOTH, FLAG, "auth_http.pass_client_cert"),
)
