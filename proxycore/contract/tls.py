"""TLS settings of both legs, as pure data.

Names are nginx's directives (mail_ssl; for the back leg the spelling its other modules have).
What nginx reads from a file may be given here as a path or as its content: ``data:`` followed by
PEM text, or by base64 for ticket keys. Whoever holds the privileges turns paths into content
(``proxycore.net.tls.material``), so workers never open a key.
"""

from dataclasses import dataclass
from typing import Final

from proxycore.contract.codec import Problem
from proxycore.contract.fields import setting
from proxycore.contract.secret import Secret

DATA: Final = "data:"
"""What a value begins with that is content and not a path."""

DEFAULT_CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""Forward secrecy and authenticated encryption only; nginx has ``HIGH:!aNULL:!MD5``."""

PROTOCOLS: Final = ("SSLv2", "SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
"""Names that are understood. SSLv2 and SSLv3 are accepted and cannot be provided."""

_CURRENT: Final = ("TLSv1.2", "TLSv1.3")
_FILE = r"[^\x00]*"
_WORDS = r"[^\x00-\x1f\x7f]*"
_PIN = r"sha256/[A-Za-z0-9+/]{43}="
_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A certificate with its chain, and its key."""

    ssl_certificate: str = setting(
        "Certificate first, then its chain: a path, or `data:` and PEM text.",
        directive="ssl_certificate",
        pattern=_FILE,
    )
    ssl_certificate_key: Secret = setting(
        "Private key: a path, or `data:` and PEM text.",
        directive="ssl_certificate_key",
        pattern=_FILE,
    )


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ConfCommand:
    """One command given to OpenSSL as it is."""

    name: str = setting("Command.", directive="ssl_conf_command", pattern=r"[!-~]+")
    value: str = setting(
        "Its value; of `Certificate` and `PrivateKey` a path, or `data:` and PEM text.",
        directive="ssl_conf_command",
        pattern=rf"{_WORDS}|{DATA}{_FILE}",
    )

    def __repr__(self) -> str:
        # content may be a key
        value = DATA if self.value.startswith(DATA) else self.value
        return f"ConfCommand(name={self.name!r}, value={value!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontTls:
    """TLS towards clients, for the sockets with `ssl` and for STARTTLS."""

    starttls: str = setting(
        "STARTTLS (STLS) on sockets without `ssl`; `only` lets nobody log in without it.",
        default="off",
        directive="starttls",
        choices=("off", "on", "only"),
    )
    certificates: tuple[Certificate, ...] = setting(
        "Certificates, one for each kind of key.", default=(), directive="ssl_certificate"
    )
    ssl_password_file: Secret = setting(
        "Passphrases of keys, one per line: a path, or `data:` and the lines.",
        default=Secret(""),
        directive="ssl_password_file",
        pattern=_FILE,
    )
    ssl_certificate_compression: bool = setting(
        "Compress certificates (TLS 1.3), where the library can.",
        default=False,
        directive="ssl_certificate_compression",
    )
    ssl_protocols: tuple[str, ...] = setting(
        "Protocol versions spoken.", default=_CURRENT, directive="ssl_protocols", choices=PROTOCOLS
    )
    ssl_ciphers: str = setting(
        "Ciphers of TLS 1.2 and older, as OpenSSL writes lists.",
        default=DEFAULT_CIPHERS,
        directive="ssl_ciphers",
        pattern=_WORDS,
    )
    ssl_prefer_server_ciphers: bool = setting(
        "Our order of ciphers decides, not the client's.",
        default=False,
        directive="ssl_prefer_server_ciphers",
    )
    ssl_ecdh_curve: str = setting(
        "Groups for the key exchange, separated by colons; `auto` is OpenSSL's choice.",
        default="auto",
        directive="ssl_ecdh_curve",
        pattern=r"[0-9A-Za-z:_.*?/+-]+",
    )
    ssl_dhparam: str = setting(
        "DH parameters for DHE ciphers: a path, or `data:` and PEM text.",
        default="",
        directive="ssl_dhparam",
        pattern=_FILE,
    )
    ssl_session_cache: str = setting(
        "`off` forbids resumption, `none` stores nothing but does not say so, `stored` stores.",
        default="none",
        directive="ssl_session_cache",
        choices=("off", "none", "stored"),
    )
    ssl_session_cache_builtin_count: int = setting(
        "Sessions kept by each worker for itself; 0 keeps none.",
        default=0,
        directive="ssl_session_cache",
        unit="count",
        minimum=0,
        maximum=10_000_000,
    )
    ssl_session_cache_shared_name: str = setting(
        "Cache shared by all workers and all server blocks that name it. Empty: none.",
        default="",
        directive="ssl_session_cache",
        pattern=r"[^\x00-\x20\x7f:]*",
    )
    ssl_session_cache_shared_bytes: int = setting(
        "Size of the shared cache; a session takes about 256 bytes.",
        default=1_048_576,
        directive="ssl_session_cache",
        unit="bytes",
        minimum=32_768,
        maximum=1_073_741_824,
    )
    ssl_session_timeout_ms: int = setting(
        "How long a session may be resumed.",
        default=300_000,
        directive="ssl_session_timeout",
        unit="ms",
        minimum=1000,
        maximum=7 * _DAY_MS,
    )
    ssl_session_tickets: bool = setting(
        "Resumption by tickets, which the client keeps.",
        default=True,
        directive="ssl_session_tickets",
    )
    ssl_session_ticket_key: tuple[Secret, ...] = setting(
        "Ticket keys of 48 or 80 bytes, paths or `data:` and base64. The first encrypts.",
        default=(),
        directive="ssl_session_ticket_key",
        pattern=_FILE,
    )
    ssl_verify_client: str = setting(
        "Whether clients are asked for a certificate, and what happens to a bad one.",
        default="off",
        directive="ssl_verify_client",
        choices=("off", "on", "optional", "optional_no_ca"),
    )
    ssl_verify_depth: int = setting(
        "Longest chain of a client's certificate.",
        default=1,
        directive="ssl_verify_depth",
        unit="count",
        minimum=0,
        maximum=100,
    )
    ssl_client_certificate: str = setting(
        "Authorities of client certificates, told to clients: a path, or `data:` and PEM text.",
        default="",
        directive="ssl_client_certificate",
        pattern=_FILE,
    )
    ssl_trusted_certificate: str = setting(
        "Authorities of client certificates, not told: a path, or `data:` and PEM text.",
        default="",
        directive="ssl_trusted_certificate",
        pattern=_FILE,
    )
    ssl_crl: str = setting(
        "Revoked client certificates, a list for every authority: a path, or `data:` and PEM text.",
        default="",
        directive="ssl_crl",
        pattern=_FILE,
    )
    ssl_conf_command: tuple[ConfCommand, ...] = setting(
        "Commands given to OpenSSL last, so that they can override anything.",
        default=(),
        directive="ssl_conf_command",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class BackTls:
    """TLS towards a mail server."""

    proxy_ssl: str = setting(
        "`implicit` from the first octet, `starttls` after the greeting, `none` in clear.",
        default="none",
        directive="proxy_ssl",
        choices=("none", "implicit", "starttls"),
    )
    proxy_ssl_verify: bool = setting(
        "Refuse a mail server that does not prove to be the one meant.",
        default=True,
        directive="proxy_ssl_verify",
    )
    proxy_ssl_verify_depth: int = setting(
        "Longest chain of the mail server's certificate.",
        default=9,
        directive="proxy_ssl_verify_depth",
        unit="count",
        minimum=0,
        maximum=100,
    )
    proxy_ssl_trusted_certificate: str = setting(
        "Authorities: a path, or `data:` and PEM text. Empty: those the system trusts.",
        default="",
        directive="proxy_ssl_trusted_certificate",
        pattern=_FILE,
    )
    proxy_ssl_pins: tuple[str, ...] = setting(
        "Keys (`sha256/` and base64 of the SubjectPublicKeyInfo) that are trusted, whatever name "
        "and authority a certificate has. With any, authorities are not asked.",
        default=(),
        pattern=_PIN,
    )
    proxy_ssl_crl: str = setting(
        "Revoked certificates, a list for every authority: a path, or `data:` and PEM text.",
        default="",
        directive="proxy_ssl_crl",
        pattern=_FILE,
    )
    proxy_ssl_name: str = setting(
        "Name the certificate must be for, and sent as SNI. Empty: the mail host's own name.",
        default="",
        directive="proxy_ssl_name",
        pattern=r"[0-9A-Za-z._:-]*",
        max_length=253,
    )
    proxy_ssl_server_name: bool = setting(
        "Tell the mail server which name is meant (SNI).",
        default=True,
        directive="proxy_ssl_server_name",
    )
    proxy_ssl_certificate: str = setting(
        "Our own certificate, for mail servers that ask for one: a path, or `data:` and PEM text.",
        default="",
        directive="proxy_ssl_certificate",
        pattern=_FILE,
    )
    proxy_ssl_certificate_key: Secret = setting(
        "Key of our own certificate: a path, or `data:` and PEM text.",
        default=Secret(""),
        directive="proxy_ssl_certificate_key",
        pattern=_FILE,
    )
    proxy_ssl_password_file: Secret = setting(
        "Passphrases of the key, one per line: a path, or `data:` and the lines.",
        default=Secret(""),
        directive="proxy_ssl_password_file",
        pattern=_FILE,
    )
    proxy_ssl_protocols: tuple[str, ...] = setting(
        "Protocol versions spoken.",
        default=_CURRENT,
        directive="proxy_ssl_protocols",
        choices=PROTOCOLS,
    )
    proxy_ssl_ciphers: str = setting(
        "Ciphers of TLS 1.2 and older, as OpenSSL writes lists.",
        default="DEFAULT",
        directive="proxy_ssl_ciphers",
        pattern=_WORDS,
    )
    proxy_ssl_session_reuse: bool = setting(
        "Resume sessions with mail servers.", default=True, directive="proxy_ssl_session_reuse"
    )
    proxy_ssl_conf_command: tuple[ConfCommand, ...] = setting(
        "Commands given to OpenSSL last.", default=(), directive="proxy_ssl_conf_command"
    )


def find_front_problems(front: FrontTls, path: str) -> list[Problem]:
    """Find what no single field shows, for a block that speaks TLS. ``path``: of the settings."""
    problems: list[Problem] = []
    if not front.certificates and not _has_conf_certificate(front):
        problems.append(Problem(f"{path}.certificates", 'no "ssl_certificate" is defined'))
    trusted = front.ssl_client_certificate or front.ssl_trusted_certificate
    if front.ssl_verify_client in ("on", "optional") and not trusted:
        message = "no ssl_client_certificate or ssl_trusted_certificate for ssl_verify_client"
        problems.append(Problem(f"{path}.ssl_verify_client", message))
    if front.ssl_session_cache == "stored" and not (
        front.ssl_session_cache_builtin_count or front.ssl_session_cache_shared_name
    ):
        problems.append(Problem(f"{path}.ssl_session_cache", "needs a builtin or shared cache"))
    return problems


def _has_conf_certificate(front: FrontTls) -> bool:
    return any(command.name.lower() == "certificate" for command in front.ssl_conf_command)


def find_back_problems(back: BackTls, path: str) -> list[Problem]:
    """Find what no single field shows. ``path``: of the settings."""
    problems: list[Problem] = []
    if bool(back.proxy_ssl_certificate) != bool(back.proxy_ssl_certificate_key):
        missing = (
            "proxy_ssl_certificate_key" if back.proxy_ssl_certificate else "proxy_ssl_certificate"
        )
        problems.append(Problem(f"{path}.{missing}", f'no "{missing}" is defined'))
    if back.proxy_ssl_pins and not back.proxy_ssl_verify:
        message = "pins without proxy_ssl_verify would not be looked at"
        problems.append(Problem(f"{path}.proxy_ssl_pins", message))
    return problems
