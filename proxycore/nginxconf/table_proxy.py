"""Directives of the back: how mail servers are spoken to, and Zimbra's limits."""

from typing import Final

from proxycore.nginxconf import kinds, network
from proxycore.nginxconf.rows import BOTH, Repeat, Row, idle, later, one, ours
from proxycore.nginxconf.values import FLAG, SESSION_TIME, SIZE

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
    *(later(name, "off", syntax=FLAG) for name in ("imap_literalauth", "proxy_issue_pop3_xoip")),
    *(
        later(name)
        for name in (
            "proxy_ctimeout",
            "mail_login_ip_max",
            "mail_login_ip_ttl",
            "mail_login_user_max",
            "mail_login_user_ttl",
        )
    ),
    later("mail_whitelist_ip", repeat=Repeat.REPLACE),
)
"""Directives of Zimbra's nginx whose names are taken for what is built later."""
