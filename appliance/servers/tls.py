"""TLS of a server block, from its stored form to the contract's and back, and what is wrong."""

import ssl
from typing import TYPE_CHECKING, Any, Final

from cryptography import x509

from appliance.lib.x509 import blocks, read_certificates
from appliance.servers.choices import TlsPolicy
from proxycore.contract.codec import encode
from proxycore.contract.secret import Secret
from proxycore.contract.tls import DATA, DEFAULT_CIPHERS, BackTls, FrontTls

if TYPE_CHECKING:
    from appliance.certs.models import Certificate
    from appliance.servers.models import ServerBlock

Problems = dict[str, list[str]]

FRONT: Final = (
    *("starttls", "ssl_certificate_compression", "ssl_session_cache", "ssl_session_tickets"),
    *("ssl_session_cache_builtin_count", "ssl_session_cache_shared_name"),
    *("ssl_session_cache_shared_bytes", "ssl_session_timeout_ms"),
    *("ssl_verify_client", "ssl_verify_depth"),
)
"""Settings towards clients whose stored form is the contract's."""

POLICY: Final = ("ssl_protocols", "ssl_ciphers", "ssl_prefer_server_ciphers", "ssl_ecdh_curve")
"""Settings that a policy decides."""

BACK: Final = (
    *("proxy_ssl", "proxy_ssl_verify", "proxy_ssl_verify_depth", "proxy_ssl_pins"),
    *("proxy_ssl_name", "proxy_ssl_server_name", "proxy_ssl_protocols", "proxy_ssl_ciphers"),
    "proxy_ssl_session_reuse",
)
"""Settings towards mail servers whose stored form is the contract's."""

FRONT_MATERIAL: Final = (
    *("ssl_dhparam", "ssl_client_certificate", "ssl_trusted_certificate", "ssl_crl"),
)
BACK_MATERIAL: Final = ("proxy_ssl_trusted_certificate", "proxy_ssl_crl")
"""Settings that are PEM text or a path."""

POLICIES: Final[dict[str, dict[str, Any]]] = {
    TlsPolicy.MODERN: {
        "ssl_protocols": ["TLSv1.3"],
        "ssl_ciphers": DEFAULT_CIPHERS,
        "ssl_prefer_server_ciphers": False,
        "ssl_ecdh_curve": "auto",
    },
    TlsPolicy.INTERMEDIATE: {
        "ssl_protocols": ["TLSv1.2", "TLSv1.3"],
        "ssl_ciphers": DEFAULT_CIPHERS,
        "ssl_prefer_server_ciphers": False,
        "ssl_ecdh_curve": "auto",
    },
}


def front_plain(block: "ServerBlock") -> dict[str, Any]:
    """Give a block's TLS towards clients as plain data of ``FrontTls``, without its rows."""
    stored = {name: getattr(block, name) for name in (*FRONT, *POLICY)}
    return {
        **stored,
        **POLICIES.get(block.tls_policy, {}),
        **{name: to_data(getattr(block, name)) for name in FRONT_MATERIAL},
        "ssl_conf_command": _commands(block.ssl_conf_command),
    }


def back_plain(block: "ServerBlock", *, reveal: bool) -> dict[str, Any]:
    """Give a block's TLS towards mail servers as plain data of ``BackTls``.

    reveal: with the certificate of our own, whose key is in clear.
    """
    plain = {
        **{name: getattr(block, name) for name in BACK},
        **{name: to_data(getattr(block, name)) for name in BACK_MATERIAL},
        "proxy_ssl_conf_command": _commands(block.proxy_ssl_conf_command),
    }
    if reveal and block.proxy_ssl_certificate is not None:
        given = certificate_plain(block.proxy_ssl_certificate)
        plain |= {f"proxy_{name}": value for name, value in given.items()}
    return plain


def certificate_plain(certificate: "Certificate") -> dict[str, Any]:
    """Give a certificate as plain data of ``contract.tls.Certificate``, its key in clear."""
    return {
        "ssl_certificate": DATA + certificate.pem,
        "ssl_certificate_key": DATA + certificate.private_key.reveal(),
    }


def ticket_key_plain(key: Secret) -> str:
    """Give a ticket key as the contract has it, in clear."""
    return DATA + "".join(key.reveal().split())


def fields_of(front: FrontTls, back: BackTls) -> dict[str, Any]:
    """Give the stored settings of published ones, without rows and certificates."""
    plain: dict[str, Any] = {**encode(front), **encode(back)}
    fields = {name: plain[name] for name in (*FRONT, *POLICY, *BACK)}
    fields |= {name: from_data(plain[name]) for name in (*FRONT_MATERIAL, *BACK_MATERIAL)}
    for name in ("ssl_conf_command", "proxy_ssl_conf_command"):
        fields[name] = [word for one in plain[name] for word in (one["name"], one["value"])]
    fields["tls_policy"] = next(
        (name for name, decided in POLICIES.items() if decided.items() <= fields.items()),
        TlsPolicy.CUSTOM,
    )
    return fields


def to_data(stored: str) -> str:
    """Give stored PEM text or a path as the contract takes it."""
    text = stored.strip()
    return f"{DATA}{text}\n" if _is_pem(text) else text


def from_data(value: str) -> str:
    """Undo ``to_data``."""
    return value.removeprefix(DATA).strip()


def _commands(stored: list[str]) -> list[dict[str, str]]:
    return [
        {"name": name, "value": value}
        for name, value in zip(stored[::2], stored[1::2], strict=False)
    ]


def _is_pem(text: str) -> bool:
    return "-----BEGIN" in text


# --- problems -----------------------------------------------------------------------------------


def problems_of(block: "ServerBlock") -> Problems:
    """Say what the contract cannot see: content that is none, ciphers that nobody has."""
    problems: Problems = {}
    for name in (*FRONT_MATERIAL, *BACK_MATERIAL):
        said = _wrong_material(name, getattr(block, name).strip())
        if said:
            problems[name] = [said]
    for name in ("ssl_ciphers", "proxy_ssl_ciphers"):
        if not _has_ciphers(getattr(block, name)):
            problems[name] = ["No cipher fits: see “openssl ciphers” for how lists are written."]
    if block.proxy_ssl_pins and not block.proxy_ssl_verify:
        problems["proxy_ssl_pins"] = ["Without proxy_ssl_verify pins would not be looked at."]
    trusted = block.ssl_client_certificate or block.ssl_trusted_certificate
    if block.ssl_verify_client in ("on", "optional") and not trusted:
        problems["ssl_client_certificate"] = [
            "To verify client certificates, say whose: authorities are needed here or below."
        ]
    stored = block.ssl_session_cache_builtin_count or block.ssl_session_cache_shared_name
    if block.ssl_session_cache == "stored" and not stored:
        problems["ssl_session_cache"] = [
            "Give a size for the builtin or a name for the shared one."
        ]
    return problems


def _wrong_material(name: str, text: str) -> str:
    if not text:
        return ""
    if not _is_pem(text):
        is_path = text.startswith("/") and "\n" not in text
        return "" if is_path else "Give PEM text, or the absolute path of a file on the nodes."
    try:
        if name == "ssl_dhparam":
            found = blocks(text.encode(), "DH PARAMETERS")
            return "" if found else "There are no DH parameters in it (BEGIN DH PARAMETERS)."
        if name.endswith("crl"):
            x509.load_pem_x509_crl(text.encode())
        elif not read_certificates(text.encode()):
            return "There is no certificate in it (BEGIN CERTIFICATE)."
    except ValueError:
        return "This cannot be read: it is damaged, or something else."
    return ""


def _has_ciphers(text: str) -> bool:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.set_ciphers(text)
    except (ssl.SSLError, ValueError):
        return False
    return True
