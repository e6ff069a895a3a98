"""Directives of TLS, towards clients and towards mail servers.

nginx's mail module has none of the back leg; they have the names of its other modules.
"""

from typing import Final

from proxycore.nginxconf import tls_values as kinds
from proxycore.nginxconf.rows import BOTH, Repeat, Row, one, ours
from proxycore.nginxconf.values import FLAG, NUMBER, TEXT, Kind, choice

_SSL_DEPRECATED: Final = (
    'the "ssl" directive is deprecated, use the "listen ... ssl" directive instead'
)


def _front(name: str, kind: Kind) -> Row:
    return one(name, BOTH, kind, f"front_tls.{name}")


def _back(name: str, kind: Kind) -> Row:
    return ours(name, BOTH, kind, f"back_tls.{name}")


def _listed(name: str, kind: Kind, repeat: Repeat = Repeat.APPEND, most: int | None = 1) -> Row:
    return Row(
        name=name, contexts=BOTH, most=most, kind=kind, field=f"front_tls.{name}", repeat=repeat
    )


FRONT_TLS: Final = (
    Row(
        name="ssl",
        contexts=BOTH,
        kind=FLAG,
        field="front_tls.ssl",
        remark=_SSL_DEPRECATED,
        deprecated=True,
    ),
    _front("starttls", choice("off", "on", "only")),
    _listed("ssl_certificate", kinds.PATHS),
    _listed("ssl_certificate_key", kinds.KEYS),
    _front("ssl_password_file", kinds.SECRET_FILE),
    ours(
        "ssl_certificate_compression",
        BOTH,
        FLAG,
        "front_tls.ssl_certificate_compression",
    ),
    _listed("ssl_protocols", kinds.PROTOCOL_NAMES, Repeat.UNITE, most=None),
    _front("ssl_ciphers", TEXT),
    _front("ssl_prefer_server_ciphers", FLAG),
    _front("ssl_ecdh_curve", TEXT),
    _front("ssl_dhparam", TEXT),
    _listed("ssl_session_cache", kinds.SESSION_CACHE, most=2),
    Row(
        name="ssl_session_timeout",
        contexts=BOTH,
        kind=kinds.SESSION_TIMEOUT,
        field="front_tls.ssl_session_timeout_ms",
    ),
    _front("ssl_session_tickets", FLAG),
    _listed("ssl_session_ticket_key", kinds.KEYS),
    _front("ssl_verify_client", choice("off", "on", "optional", "optional_no_ca")),
    _front("ssl_verify_depth", NUMBER),
    _front("ssl_client_certificate", TEXT),
    _front("ssl_trusted_certificate", TEXT),
    _front("ssl_crl", TEXT),
    Row(
        name="ssl_conf_command",
        contexts=BOTH,
        least=2,
        most=2,
        kind=kinds.CONF_COMMAND,
        field="front_tls.ssl_conf_command",
        repeat=Repeat.APPEND,
    ),
)

BACK_TLS: Final = (
    _back("proxy_ssl", kinds.PROXY_SSL),
    _back("proxy_ssl_verify", FLAG),
    _back("proxy_ssl_verify_depth", NUMBER),
    _back("proxy_ssl_trusted_certificate", TEXT),
    Row(
        name="proxy_ssl_pin",
        contexts=BOTH,
        most=None,
        kind=kinds.PINS,
        field="back_tls.proxy_ssl_pins",
        repeat=Repeat.APPEND,
        ours=True,
    ),
    _back("proxy_ssl_crl", TEXT),
    _back("proxy_ssl_name", TEXT),
    _back("proxy_ssl_server_name", FLAG),
    _back("proxy_ssl_certificate", TEXT),
    _back("proxy_ssl_certificate_key", kinds.KEY),
    _back("proxy_ssl_password_file", kinds.SECRET_FILE),
    Row(
        name="proxy_ssl_protocols",
        contexts=BOTH,
        most=None,
        kind=kinds.PROTOCOL_NAMES,
        field="back_tls.proxy_ssl_protocols",
        repeat=Repeat.UNITE,
        ours=True,
    ),
    _back("proxy_ssl_ciphers", TEXT),
    _back("proxy_ssl_session_reuse", FLAG),
    Row(
        name="proxy_ssl_conf_command",
        contexts=BOTH,
        least=2,
        most=2,
        kind=kinds.CONF_COMMAND,
        field="back_tls.proxy_ssl_conf_command",
        repeat=Repeat.APPEND,
        ours=True,
    ),
)
