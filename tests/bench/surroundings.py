"""What a proxy is given: whom to ask, where the mail servers are, and its certificate."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.support.pki import Authority

NAME: Final = "bench.example"
"""Name of the proxies and of the mail server; the certificate is for it."""

TLS_IS: Final = (
    "TLS 1.3, TLS_AES_256_GCM_SHA384, X25519 (all the load generator offers), ECDSA P-256, "
    "tickets, no session cache, Debian's OpenSSL on both sides"
)
"""What the cryptography of every figure with TLS is; stands beside them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A certificate, its key and who vouches for it, as files."""

    certificate: Path
    key: Path
    authority: Path


def make_certificate(directory: Path) -> Certificate:
    """Write a certificate for ``NAME``."""
    authority = Authority("bench authority")
    certificate, key = authority.issue(NAME, kind="ecdsa").write(directory, "bench")
    own = directory / "authority.pem"
    own.write_text(authority.pem, encoding="ascii")
    return Certificate(certificate=certificate, key=key, authority=own)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthPlace:
    """An auth service: where it is, and how one proves that one may ask."""

    port: int
    uri: str = "/auth"
    node_token: str = "bench-node-token"
    caller_secret: str = ""
    """Sent by nginx as X-NGX-Auth-Key; empty where the service asks for none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Everything around one proxy."""

    auth: AuthPlace
    backend_ports: tuple[int, ...]
    """IMAP, POP3, SMTP, and IMAP with TLS."""
    certificate: Certificate
    connections: int
    """worker_connections."""
