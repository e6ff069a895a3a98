"""Directives of TLS, towards clients and towards mail servers."""

from typing import Final

from proxycore.nginxconf import kinds
from proxycore.nginxconf.rows import Repeat, later
from proxycore.nginxconf.values import FLAG, NUMBER, TIME, choice

_SSL_DEPRECATED: Final = (
    'the "ssl" directive is deprecated, use the "listen ... ssl" directive instead'
)

TLS: Final = (
    later("ssl", "off", syntax=FLAG, warning=_SSL_DEPRECATED),
    later("starttls", "off", syntax=choice("off", "on", "only")),
    later(
        "ssl_session_cache",
        "off",
        "none",
        syntax=kinds.SESSION_CACHE,
        most=2,
        repeat=Repeat.REPLACE,
    ),
    later("ssl_protocols", syntax=kinds.TLS_PROTOCOLS, most=None, repeat=Repeat.REPLACE),
    later("ssl_conf_command", least=2, most=2, repeat=Repeat.REPLACE),
    later("ssl_verify_client", "off", syntax=choice("off", "on", "optional", "optional_no_ca")),
    later("ssl_verify_depth", syntax=NUMBER),
    later("ssl_session_timeout", syntax=TIME),
    *(
        later(name, syntax=FLAG)
        for name in (
            "ssl_certificate_compression",
            "ssl_prefer_server_ciphers",
            "ssl_session_tickets",
        )
    ),
    *(
        later(name, repeat=Repeat.REPLACE)
        for name in ("ssl_certificate", "ssl_certificate_key", "ssl_session_ticket_key")
    ),
    *(
        later(name)
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
