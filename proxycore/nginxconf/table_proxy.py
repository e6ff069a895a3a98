"""Directives of the back: how mail servers are spoken to, and Zimbra's limits."""

from typing import Final

from proxycore.nginxconf import kinds, network
from proxycore.nginxconf.rows import BOTH, Repeat, Row, idle, one, ours
from proxycore.nginxconf.values import FLAG, NUMBER, SESSION_TIME, SIZE, choice

PROXY: Final = (
    idle("proxy", BOTH, "has no effect, as in nginx: sessions are always proxied", FLAG),
    one("proxy_buffer", BOTH, SIZE, "proxy_buffer_bytes"),
    one("proxy_pass_error_message", BOTH, FLAG, "proxy_pass_error_message"),
    one("proxy_timeout", BOTH, SESSION_TIME, "proxy_timeout_ms"),
    one("proxy_smtp_auth", BOTH, FLAG, "proxy_smtp_auth"),
    one("xclient", BOTH, kinds.XCLIENT, "xclient"),
    ours("xclient_legacy", BOTH, FLAG, "xclient_legacy"),
    one("proxy_protocol", BOTH, network.PROXY_PROTOCOL, "proxy_protocol"),
    Row(
        name="set_real_ip_from",
        contexts=BOTH,
        kind=network.REAL_IP,
        field="set_real_ip_from",
        repeat=Repeat.APPEND,
    ),
)

ZIMBRA: Final = (
    ours("imap_literalauth", BOTH, FLAG, "imap_literalauth"),
    ours("proxy_issue_pop3_xoip", BOTH, FLAG, "proxy_issue_pop3_xoip"),
    ours("proxy_ctimeout", BOTH, SESSION_TIME, "proxy_ctimeout_ms"),
    *(
        ours(name, BOTH, kind, f"login_limits.{field}")
        for name, kind, field in (
            ("mail_login_ip_max", NUMBER, "mail_login_ip_max"),
            ("mail_login_ip_ttl", SESSION_TIME, "mail_login_ip_ttl_ms"),
            ("mail_login_user_max", NUMBER, "mail_login_user_max"),
            ("mail_login_user_ttl", SESSION_TIME, "mail_login_user_ttl_ms"),
            ("mail_login_counts", choice("all", "refused"), "mail_login_counts"),
        )
    ),
    Row(
        name="mail_whitelist_ip",
        contexts=BOTH,
        kind=network.EXEMPT,
        field="login_limits.mail_whitelist_ip",
        most=None,
        repeat=Repeat.APPEND,
        ours=True,
    ),
)
"""Directives of Zimbra's nginx, and one of ours beside them."""
