"""The rest of the table of test_directives.py: protocols, auth, proxy, TLS, and what is ours."""

from tests.unit.proxycore.nginxconf.directive_rows import (
    FLAG,
    NUMBER,
    VALUE,
    Case,
    flag,
    mask,
    size,
    time,
    words,
)

_OF_MODULES = 'the "{}" directive is deprecated'

PROTOCOLS = (
    size(
        "imap_client_buffer",
        "imap_client_buffer_bytes",
        notices={"4k/8k": "takes one size: 8192 bytes are used", "4k 8k": "8192 bytes"},
    ),
    size("smtp_client_buffer", "smtp_client_buffer_bytes"),
    size("pop3_client_buffer", "pop3_client_buffer_bytes"),
    words("imap_capabilities", ("IMAP4rev1", "X Y")),
    words("pop3_capabilities", ("TOP", "EXPIRE NEVER")),
    words("smtp_capabilities", ("8BITMIME", "SIZE 1000")),
    mask("imap_auth", "plain login cram-md5 external"),
    mask("pop3_auth", "plain apop cram-md5 external"),
    mask("smtp_auth", "plain login cram-md5 external none"),
    Case(
        name="auth",
        setting="pop3_auth",
        notices={"plain apop": 'the "auth" directive is deprecated, use the "pop3_auth"'},
        refuses={"": "", "login": 'invalid value "login"'},
        repeat="adds",
    ),
    mask("imap_auth_tokens", "xoauth2 oauthbearer", "imap_auth"),
    mask("pop3_auth_tokens", "xoauth2 oauthbearer", "pop3_auth"),
    mask("smtp_auth_tokens", "xoauth2 oauthbearer", "smtp_auth"),
    time("smtp_greeting_delay", "smtp_greeting_delay_ms"),
    Case(
        name="max_commands",
        setting="max_commands",
        takes={"10": 10},
        refuses={"x": f'"max_commands" {NUMBER}', "0": "must be at least 1"},
    ),
    Case(
        name="imap_greeting",
        setting="imap_greeting",
        takes={"'hello there'": "hello there", "'* OK hi'": "hi"},
        refuses={"''": VALUE, r"'a\nb'": VALUE},
    ),
    Case(
        name="pop3_greeting",
        setting="pop3_greeting",
        takes={"'hello there'": "hello there", "'+OK hi'": "hi"},
        refuses={"''": VALUE, r"'a\nb'": VALUE},
    ),
    Case(
        name="imap_id",
        setting="imap_id",
        takes={"name x": ("name", "x")},
        refuses={"": "", "a 'b\"'": "invalid value"},
    ),
    flag("proxy_issue_imap_id", "proxy_issue_imap_id"),
)

AUTH_HTTP = (
    Case(
        name="auth_http",
        setting="auth_http.uri",
        takes={
            "127.0.0.1:9000/x": "/x",
            "http://localhost/y": "/y",
            "unix:/run/a:/z": "/z",
            "[::1]": "/",
        },
        refuses={
            "": "",
            "''": 'no host in auth_http ""',
            "127.0.0.1:0": 'invalid port in auth_http "127.0.0.1:0"',
            "[::1]x": 'invalid host in auth_http "[::1]x"',
        },
        repeat="replaces",
    ),
    Case(
        name="auth_http_header",
        takes={"X-Key secret": None},
        refuses={"X": "", "'a b' c": "invalid header name", r"a 'b\rc'": "invalid header value"},
        repeat="any",
    ),
    time("auth_http_timeout", "auth_http.timeout_ms", notices={"60000": "did you mean"}),
    flag("auth_http_pass_client_cert", "auth_http.pass_client_cert"),
    Case(
        name="auth_http_keepalive",
        setting="auth_http.keepalive",
        takes={"16": 16},
        refuses={"x": NUMBER, "5000": "must be at most 1024"},
    ),
    flag("auth_http_ssl", "auth_http.ssl"),
    Case(
        name="auth_http_ssl_trusted_certificate",
        setting="auth_http.ssl_trusted_certificate",
        takes={"/ca.pem": "/ca.pem"},
        refuses={"": ""},
    ),
    Case(
        name="auth_http_backup",
        takes={"127.0.0.2:9000": None, "127.0.0.2 127.0.0.3:81": None},
        refuses={"": "", "a:x": 'invalid port in auth_http "a:x"'},
    ),
    flag("auth_http_node_token", "auth_http.send_node_token"),
    time("auth_http_cache_ttl", "auth_http.cache_ttl_ms"),
    time("auth_http_cache_stale", "auth_http.cache_stale_ms"),
)

PROXY = (
    Case(
        name="proxy",
        refuses={"yes": FLAG},
        notices={"on": '"proxy" has no effect, as in nginx', "off": '"proxy" has no effect'},
    ),
    size("proxy_buffer", "proxy_buffer_bytes"),
    flag("proxy_pass_error_message", "proxy_pass_error_message"),
    time("proxy_timeout", "proxy_timeout_ms", notices={"86400000": "did you mean"}),
    flag("proxy_smtp_auth", "proxy_smtp_auth"),
    flag("xclient", "xclient"),
    flag("xclient_legacy", "xclient_legacy"),
    Case(
        name="proxy_protocol",
        setting="proxy_protocol",
        takes={"on": "on", "V2": "v2", "off": "off"},
        refuses={"v3": 'invalid value "v3"'},
    ),
    Case(
        name="set_real_ip_from",
        setting="set_real_ip_from",
        takes={"10.0.0.0/8": ("10.0.0.0/8",), "unix:": ("unix:",), "lb.example": ("lb.example",)},
        refuses={"10.0.0.0/33": 'host not found in set_real_ip_from "10.0.0.0/33"', "": ""},
        notices={"10.1.0.0/8": "low address bits of 10.1.0.0/8 are meaningless"},
        repeat="adds",
    ),
)

ZIMBRA = (
    flag("imap_literalauth", "imap_literalauth"),
    flag("proxy_issue_pop3_xoip", "proxy_issue_pop3_xoip"),
    time("proxy_ctimeout", "proxy_ctimeout_ms"),
    *(
        Case(
            name=name,
            setting=f"login_limits.{name}",
            takes={"10": 10, "0": 0},
            refuses={"x": f'"{name}" {NUMBER}', "": ""},
        )
        for name in ("mail_login_ip_max", "mail_login_user_max")
    ),
    *(
        Case(
            name=name,
            setting=f"login_limits.{name}_ms",
            takes={"5": 5000, "'1h 30m'": 5_400_000},
            refuses={"1y": f'"{name}" {VALUE}', "10ms": "must be at least 1000"},
        )
        for name in ("mail_login_ip_ttl", "mail_login_user_ttl")
    ),
    Case(
        name="mail_login_counts",
        setting="login_limits.mail_login_counts",
        takes={"all": "all", "Refused": "refused"},
        refuses={"some": 'invalid value "some"'},
    ),
    Case(
        name="mail_whitelist_ip",
        setting="login_limits.mail_whitelist_ip",
        takes={"10.0.0.1 2001:db8::/32": ("10.0.0.1", "2001:db8::/32"), "unix:": ("unix:",)},
        refuses={"mail.example.com": 'invalid network "mail.example.com"', "": ""},
        repeat="adds",
    ),
)

OURS = (
    Case(
        name="name",
        where=("server",),
        setting="name",
        takes={"x": "x"},
        refuses={"": "", "'a{'": "servers[0].name: "},
    ),
    Case(
        name="server_alias",
        where=("server",),
        setting="server_names",
        takes={"a b": ("a", "b")},
        refuses={"": ""},
    ),
    Case(
        name="empty",
        where=("server",),
        setting="imap_auth",
        takes={"imap_auth": ()},
        refuses={"": "", "timeout": 'invalid value "timeout"'},
    ),
)
