"""A server block: where it listens, who decides about its logins, how it treats a session.

If you add a setting: CONTRIBUTING.md has the list of places it has to appear in, and
``tests/checks`` refuses one that nothing reads.
"""

from dataclasses import dataclass

from proxycore.contract.fields import setting
from proxycore.contract.listen import Listen
from proxycore.contract.process import AccessLog, ErrorLog
from proxycore.contract.protocol import Protocol
from proxycore.contract.secret import Secret
from proxycore.contract.throttle import LoginLimits
from proxycore.contract.tls import BackTls, FrontTls

_ONE_PAGE = 4096
_DAY_MS = 86_400_000
_LINE_SAFE = r"[^\x00-\x1f\x7f]*"
_AUTH_HOST = r"[0-9A-Za-z._:-]+|unix:/[^\x00-\x1f\x7f:]+"
_GREETING = r"[!-~](?:[ -~]*[!-~])?"
GROUP_NAME = r"[0-9A-Za-z][0-9A-Za-z._-]*"
"""What a group of nodes may be called."""
_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105  (RFC 9110 §5.6.2)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthHttpHeader:
    """One header added to every auth request, as given."""

    name: str = setting(
        "Header name.",
        pattern=_TOKEN,
        allowed="letters, digits and hyphens, for instance X-Auth-Key",
        directive="auth_http_header",
    )
    value: Secret = setting(
        "Header value; often a shared secret, so it is kept like one.",
        pattern=_LINE_SAFE,
        allowed="one line without control characters",
        directive="auth_http_header",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthBackup:
    """Another place of the service that decides about logins, asked when those before it fail."""

    host: str = setting("As of the first place.", directive="auth_http", pattern=_AUTH_HOST)
    port: int = setting("TCP port; 0 with a unix socket.", default=80, minimum=0, maximum=65535)
    uri: str = setting("Path and query asked for.", default="/", pattern=r"/[^\x00-\x20]*")
    ssl: bool = setting("Ask over HTTPS.", default=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthHttp:
    """The service that decides about logins (auth_http)."""

    host: str = setting(
        "Host name, IP address (without brackets) or `unix:/path`.",
        directive="auth_http",
        pattern=_AUTH_HOST,
    )
    port: int = setting(
        "TCP port; 0 with a unix socket.",
        default=80,
        minimum=0,
        maximum=65535,
        directive="auth_http",
    )
    uri: str = setting(
        "Path and query asked for.", default="/", directive="auth_http", pattern=r"/[^\x00-\x20]*"
    )
    ssl: bool = setting(
        "Ask over HTTPS; the service has to prove its name.", default=False, directive="auth_http"
    )
    ssl_trusted_certificate: str = setting(
        "File of the authorities that may vouch for it. Empty: those the system trusts.",
        default="",
        pattern=_LINE_SAFE,
    )
    backups: tuple[AuthBackup, ...] = setting(
        "Other places to ask, in order, when those before cannot be reached or are ill.",
        default=(),
    )
    headers: tuple[AuthHttpHeader, ...] = setting(
        "Headers added to every request, in order.", default=(), directive="auth_http_header"
    )
    timeout_ms: int = setting(
        "Time for connect, request and complete answer.",
        default=60_000,
        directive="auth_http_timeout",
        unit="ms",
        minimum=1,
    )
    keepalive: int = setting(
        "Idle connections kept open per worker; 0 asks as nginx does, HTTP/1.0 and one each.",
        default=0,
        unit="count",
        minimum=0,
        maximum=1024,
    )
    send_node_token: bool = setting(
        "Prove with the node's own token that a node is asking (the built-in auth view).",
        default=False,
    )
    pass_client_cert: bool = setting(
        "Tell it the whole certificate of a client that gave one.",
        default=False,
        directive="auth_http_pass_client_cert",
    )
    cache_ttl_ms: int = setting(
        "How long a good answer is used again without asking; 0 asks for every login.",
        default=0,
        unit="ms",
        minimum=0,
        maximum=_DAY_MS,
    )
    cache_stale_ms: int = setting(
        "How long a good answer may still be used while the service cannot be reached.",
        default=0,
        unit="ms",
        minimum=0,
        maximum=7 * _DAY_MS,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolver:
    """Name servers of a server block (resolver)."""

    addresses: tuple[str, ...] = setting(
        "IP address, `address:port` or `[IPv6 address]:port` of each name server. Empty: off.",
        default=(),
        directive="resolver",
        pattern=r"[0-9A-Za-z.:\[\]-]+",
    )
    valid_ms: int = setting(
        "How long an answer is used again; 0 goes by the answer's own lifetime.",
        default=0,
        directive="resolver",
        unit="ms",
        minimum=0,
    )
    ipv4: bool = setting("Look for IPv4 addresses.", default=True, directive="resolver")
    ipv6: bool = setting("Look for IPv6 addresses.", default=True, directive="resolver")


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One server block: where it listens and how it treats a session."""

    name: str = setting(
        "Name in logs, statistics and the admin.",
        pattern=r"[^\x00-\x1f\x7f{},=]+",
        allowed="without braces, commas and equals signs",
        max_length=100,
    )
    protocol: Protocol = setting("Mail protocol spoken.", directive="protocol")
    listens: tuple[Listen, ...] = setting("Sockets of this block.", directive="listen")
    auth_http: AuthHttp = setting("Who decides about logins.", directive="auth_http")
    server_names: tuple[str, ...] = setting(
        "Names of this server: the first that is no wildcard greets, without one the host's name. "
        "All of them choose it (SNI).",
        default=(),
        directive="server_name",
        pattern=r"[^\x00-\x20\x7f]+",
        allowed="a name without blanks, for instance mail.example.com",
    )
    timeout_ms: int = setting(
        "Time for everything before login, and again for the login at the mail server.",
        default=60_000,
        directive="timeout",
        unit="ms",
        minimum=1,
    )
    max_errors: int = setting(
        "Commands that are not commands before the client is disconnected.",
        default=5,
        directive="max_errors",
        unit="count",
        minimum=0,
    )
    max_commands: int = setting(
        "Commands before login, answers to challenges included, before the client is disconnected.",
        default=1000,
        directive="max_commands",
        unit="count",
        minimum=1,
    )
    proxy_ctimeout_ms: int = setting(
        "Time for connecting to the mail server; 0: whatever is left of `timeout`.",
        default=0,
        directive="proxy_ctimeout",
        unit="ms",
        minimum=0,
    )
    proxy_timeout_ms: int = setting(
        "Idle time after which a proxied session ends.",
        default=_DAY_MS,
        directive="proxy_timeout",
        unit="ms",
        minimum=1,
    )
    proxy_buffer_bytes: int = setting(
        "Longest answer of the mail server during login.",
        default=_ONE_PAGE,
        directive="proxy_buffer",
        unit="bytes",
        minimum=512,
        maximum=16_777_216,
    )
    proxy_pass_error_message: bool = setting(
        "Show the client the mail server's own refusal.",
        default=False,
        directive="proxy_pass_error_message",
    )
    imap_client_buffer_bytes: int = setting(
        "Longest IMAP command before login, literals included.",
        default=_ONE_PAGE,
        directive="imap_client_buffer",
        unit="bytes",
        minimum=128,
        maximum=16_777_216,
    )
    imap_capabilities: tuple[str, ...] = setting(
        "Capabilities announced before login.",
        default=("IMAP4", "IMAP4rev1", "UIDPLUS"),
        directive="imap_capabilities",
        pattern=_LINE_SAFE,
    )
    imap_auth: tuple[str, ...] = setting(
        "SASL mechanisms announced; all but plain and login are refused unless named here.",
        default=("plain",),
        directive="imap_auth",
        choices=("plain", "login", "cram-md5", "external", "xoauth2", "oauthbearer"),
    )
    imap_greeting: str = setting(
        "Text of the greeting, behind `* OK`.",
        default="IMAP4 ready",
        directive="imap_greeting",
        pattern=_GREETING,
        max_length=400,
    )
    imap_id: tuple[str, ...] = setting(
        "Names and values, in turn, told to a client that asks with ID. Empty: NIL.",
        default=(),
        directive="imap_id",
        pattern=r"[\x20\x21\x23-\x5b\x5d-\x7e]*",
        max_length=1024,
    )
    proxy_issue_imap_id: bool = setting(
        "Tell the mail server, before the login, what the client said with ID.",
        default=False,
        directive="proxy_issue_imap_id",
    )
    imap_literalauth: bool = setting(
        "Log in at the mail server with literals even where quoted strings would do.",
        default=False,
        directive="imap_literalauth",
    )
    pop3_client_buffer_bytes: int = setting(
        "Longest POP3 line before login.",
        default=_ONE_PAGE,
        directive="pop3_client_buffer",
        unit="bytes",
        minimum=128,
        maximum=16_777_216,
    )
    pop3_capabilities: tuple[str, ...] = setting(
        "Capabilities announced before login.",
        default=("TOP", "USER", "UIDL"),
        directive="pop3_capabilities",
        pattern=_LINE_SAFE,
    )
    pop3_auth: tuple[str, ...] = setting(
        "Ways to log in that are announced; all but plain are refused unless named here.",
        default=("plain",),
        directive="pop3_auth",
        choices=("plain", "apop", "cram-md5", "external", "xoauth2", "oauthbearer"),
    )
    pop3_greeting: str = setting(
        "Text of the greeting, behind `+OK`.",
        default="POP3 ready",
        directive="pop3_greeting",
        pattern=_GREETING,
        max_length=400,
    )
    proxy_issue_pop3_xoip: bool = setting(
        "Tell the POP3 server the client's address with XOIP, before the login.",
        default=False,
        directive="proxy_issue_pop3_xoip",
    )
    smtp_client_buffer_bytes: int = setting(
        "Longest SMTP line before login.",
        default=_ONE_PAGE,
        directive="smtp_client_buffer",
        unit="bytes",
        minimum=128,
        maximum=16_777_216,
    )
    smtp_capabilities: tuple[str, ...] = setting(
        "Extensions announced in the EHLO answer.",
        default=(),
        directive="smtp_capabilities",
        pattern=_LINE_SAFE,
    )
    smtp_auth: tuple[str, ...] = setting(
        "SASL mechanisms announced; all but plain and login are refused unless named here. With "
        "none, MAIL and RCPT need no login.",
        default=("plain", "login"),
        directive="smtp_auth",
        choices=("plain", "login", "cram-md5", "external", "none", "xoauth2", "oauthbearer"),
    )
    smtp_greeting_delay_ms: int = setting(
        "How long the greeting is withheld; who speaks first is disconnected.",
        default=0,
        directive="smtp_greeting_delay",
        unit="ms",
        minimum=0,
    )
    xclient: bool = setting(
        "Tell the SMTP server with XCLIENT who the client is.", default=True, directive="xclient"
    )
    xclient_legacy: bool = setting(
        "Send XCLIENT as nginx did before 0.7.34: with PROTO and HELO, and no HELO repeated after.",
        default=False,
        directive="xclient",
    )
    proxy_protocol: str = setting(
        "Begin the connection to the mail server with a PROXY protocol header: `off`, `on` (version"
        " 1) or `v2`.",
        default="off",
        directive="proxy_protocol",
        choices=("off", "on", "v2"),
    )
    set_real_ip_from: tuple[str, ...] = setting(
        "Who is believed about the client's address in a PROXY protocol header: IP addresses,"
        " networks, host names, or `unix:`.",
        default=(),
        directive="set_real_ip_from",
        pattern=r"unix:|[0-9A-Za-z.:_-]+(?:/[0-9]{1,3})?",
    )
    error_logs: tuple[ErrorLog, ...] = setting(
        "Where messages about sessions of this block go; none given means the process's.",
        default=(),
        directive="error_log",
    )
    access_logs: tuple[AccessLog, ...] = setting(
        "Where one record per session of this block goes; none given means the process's.",
        default=(),
        directive="access_log",
    )
    so_keepalive: bool = setting(
        "Keep-alive probes on the connections to clients and mail servers.",
        default=False,
        directive="so_keepalive",
    )
    resolver: Resolver = setting(
        "Name servers for clients' host names (SMTP) and for mail servers given by name.",
        default=Resolver(),
        directive="resolver",
    )
    resolver_timeout_ms: int = setting(
        "How long one look-up may take.",
        default=30_000,
        directive="resolver_timeout",
        unit="ms",
        minimum=1,
    )
    proxy_smtp_auth: bool = setting(
        "Authenticate at the SMTP server with the client's credentials, by what it offers.",
        default=False,
        directive="proxy_smtp_auth",
    )
    login_limits: LoginLimits = setting("How often may be tried to log in.", default=LoginLimits())
    groups: tuple[str, ...] = setting(
        "Groups of nodes that run this block; empty: every node. A node is sent its own blocks "
        "alone, without this.",
        default=(),
        pattern=GROUP_NAME,
        allowed="letters, digits, dots, hyphens and underscores",
        max_length=50,
    )
    front_tls: FrontTls = setting("TLS towards clients.", default=FrontTls())
    back_tls: BackTls = setting(
        "TLS towards mail servers, where the answer about a login does not say otherwise.",
        default=BackTls(),
    )

    @property
    def speaks_tls(self) -> bool:
        """Whether a client may be spoken to in TLS, from the first octet or later."""
        return self.front_tls.starttls != "off" or any(listen.ssl for listen in self.listens)
