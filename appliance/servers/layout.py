"""How the page of a server block is laid out: groups, and what is shown only when it matters."""

from typing import Any, Final

_MORE: Final = ("collapse",)

FIELDSETS: Final[Any] = (
    (None, {"fields": ("name", "enabled", "protocol", "server_names", "groups")}),
    (
        "TLS towards clients",
        {
            "fields": (
                *("starttls", "certificates", "tls_policy"),
                *("ssl_protocols", "ssl_ciphers", "ssl_prefer_server_ciphers", "ssl_ecdh_curve"),
                *("ssl_verify_client", "ssl_verify_depth"),
                *("ssl_client_certificate", "ssl_trusted_certificate", "ssl_crl"),
            ),
            "description": "Sockets below with “SSL” speak TLS from the first octet; on the others"
            " it is STARTTLS that counts.",
        },
    ),
    (
        "More of TLS towards clients: resumption, DH parameters, OpenSSL's own commands",
        {
            "fields": (
                *("ssl_session_tickets", "ssl_session_timeout_ms", "ssl_session_cache"),
                "ssl_session_cache_builtin_count",
                *("ssl_session_cache_shared_name", "ssl_session_cache_shared_bytes"),
                *("ssl_dhparam", "ssl_certificate_compression", "ssl_conf_command"),
            ),
            "classes": _MORE,
        },
    ),
    (
        "Who decides about logins",
        {
            "fields": (
                *("auth_service", "auth_http", "auth_http_backups"),
                *("auth_http_ssl_trusted_certificate", "auth_http_pass_client_cert"),
                *("auth_http_timeout_ms", "auth_http_keepalive"),
                *("auth_http_cache_ttl_ms", "auth_http_cache_stale_ms"),
            )
        },
    ),
    (
        "Before login",
        {
            "fields": (
                *("timeout_ms", "max_errors", "max_commands"),
                *("imap_auth", "imap_greeting", "imap_id", "imap_client_buffer_bytes"),
                *("pop3_auth", "pop3_greeting", "pop3_client_buffer_bytes"),
                *("smtp_auth", "smtp_client_buffer_bytes", "smtp_greeting_delay_ms"),
            )
        },
    ),
    (
        "Limits of logins",
        {
            "fields": (
                *("mail_login_ip_max", "mail_login_ip_ttl_ms"),
                *("mail_login_user_max", "mail_login_user_ttl_ms"),
                *("mail_login_counts", "mail_whitelist_ip"),
            ),
            "classes": _MORE,
            "description": "Who is over a limit is put off, not refused, and nobody is asked about"
            " the login. All workers of a node count together.",
        },
    ),
    (
        "Towards the mail server",
        {
            "fields": (
                *("proxy_timeout_ms", "proxy_buffer_bytes", "proxy_pass_error_message"),
                *("proxy_issue_imap_id", "xclient", "xclient_legacy", "proxy_smtp_auth"),
                *("proxy_protocol", "proxy_ctimeout_ms"),
                *("imap_literalauth", "proxy_issue_pop3_xoip"),
            )
        },
    ),
    (
        "TLS towards mail servers",
        {
            "fields": (
                *("proxy_ssl", "proxy_ssl_verify", "proxy_ssl_name"),
                *("proxy_ssl_trusted_certificate", "private_authority", "proxy_ssl_pins"),
            ),
            "description": "A mail host says itself whether it is spoken to in TLS, and by which"
            " name it is known. How it has to prove itself is said here, for all of them.",
        },
    ),
    (
        "More of TLS towards mail servers: versions, revocation, a certificate of our own",
        {
            "fields": (
                *("proxy_ssl_server_name", "proxy_ssl_verify_depth", "proxy_ssl_crl"),
                *("proxy_ssl_certificate", "proxy_ssl_protocols", "proxy_ssl_ciphers"),
                *("proxy_ssl_session_reuse", "proxy_ssl_conf_command"),
            ),
            "classes": _MORE,
        },
    ),
    (
        "Network: PROXY headers, name servers, keep-alive probes",
        {
            "fields": (
                *("set_real_ip_from", "resolver", "resolver_valid_ms"),
                *("resolver_ipv4", "resolver_ipv6", "resolver_timeout_ms", "so_keepalive"),
            ),
            "classes": _MORE,
        },
    ),
)
"""Groups of settings, most asked for first."""


def without(*names: str) -> Any:
    """Give the same without some fields."""
    return tuple(
        (title, {**group, "fields": tuple(one for one in group["fields"] if one not in names)})
        for title, group in FIELDSETS
    )


LISTENER_FIELDSETS: Final[Any] = (
    (None, {"fields": (("address", "port"), ("ssl", "proxy_protocol"))}),
    (
        "More of this socket: queue, buffers, keep-alive probes",
        {
            "fields": (
                ("backlog", "bind", "ipv6only", "multipath"),
                ("rcvbuf_bytes", "sndbuf_bytes"),
                ("so_keepalive", "keepalive_idle_s", "keepalive_interval_s", "keepalive_count"),
            ),
            "classes": _MORE,
        },
    ),
)
"""Settings of one listener: address first, what hardly anybody changes folded away."""


def _when(condition: str, *names: str) -> dict[str, str]:
    return dict.fromkeys(names, condition)


CONDITIONS: Final = {
    **_when(
        "auth_service == 'external'",
        *("auth_http", "auth_http_backups", "auth_http_ssl_trusted_certificate"),
        *("auth_http_timeout_ms", "auth_http_keepalive", "auth_http_pass_client_cert"),
        *("auth_http_cache_ttl_ms", "auth_http_cache_stale_ms"),
    ),
    **_when(
        "protocol == 'imap'",
        *("imap_auth", "imap_greeting", "imap_id", "imap_client_buffer_bytes"),
        *("proxy_issue_imap_id", "imap_literalauth"),
    ),
    **_when(
        "protocol == 'pop3'",
        *("pop3_auth", "pop3_greeting", "pop3_client_buffer_bytes", "proxy_issue_pop3_xoip"),
    ),
    **_when(
        "protocol == 'smtp'",
        *("smtp_auth", "smtp_client_buffer_bytes", "smtp_greeting_delay_ms"),
        *("xclient", "xclient_legacy", "proxy_smtp_auth"),
    ),
    **_when(
        "tls_policy == 'custom'",
        *("ssl_protocols", "ssl_ciphers", "ssl_prefer_server_ciphers", "ssl_ecdh_curve"),
    ),
    **_when(
        "ssl_verify_client != 'off'",
        *("ssl_verify_depth", "ssl_client_certificate", "ssl_trusted_certificate", "ssl_crl"),
    ),
    **_when(
        "ssl_session_cache == 'stored'",
        "ssl_session_cache_builtin_count",
        *("ssl_session_cache_shared_name", "ssl_session_cache_shared_bytes"),
    ),
}
"""What a field is shown on, as an expression over the other fields."""
