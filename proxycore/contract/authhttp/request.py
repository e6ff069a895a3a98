"""What is asked about a login: the headers of an auth request, out and in."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from proxycore.contract.authhttp.escaping import escape, one_line, unescape
from proxycore.contract.protocol import Protocol

_PROTOCOLS: Final = {protocol: protocol.value.encode() for protocol in Protocol}

NODE_TOKEN_HEADER: Final = "X-Postroad-Node-Token"  # noqa: S105  (a header's name)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyFacts:
    """What a PROXY header said, exactly as it said it: trusted or not, valid or not."""

    client_ip: str
    client_port: int
    server_ip: str
    server_port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFacts:
    """What a TLS handshake with the client agreed on. Texts as OpenSSL writes them."""

    protocol: str
    """Such as ``TLSv1.3``."""
    cipher: str
    """Such as ``TLS_AES_256_GCM_SHA384``."""
    verify: str = ""
    """``NONE``, ``SUCCESS`` or ``FAILED:reason``. Empty: no certificate was asked for."""
    subject: str = ""
    issuer: str = ""
    """RFC 2253 form, as everything below only where the client gave a certificate."""
    serial: str = ""
    """Hexadecimal, upper case."""
    fingerprint: str = ""
    """SHA-1 of the DER form, 40 lower-case hexadecimal digits."""
    certificate: str = ""
    """PEM; only with ``auth_http_pass_client_cert``."""


@dataclass(slots=True)
class AuthRequest:
    """One credential submission.

    Neither frozen nor by keyword only: it is built on the path of every login, where either costs
    half a microsecond. Nobody changes it afterwards.
    """

    protocol: Protocol
    method: str
    """``plain apop cram-md5 external none``; ours: ``xoauth2 oauthbearer``."""
    login: bytes
    password: bytes
    """plain: the password; apop, cram-md5: the digest; xoauth2, oauthbearer: the bearer token."""
    attempt: int
    """1 for the first submission of the session, then +1 each; a WAIT retry keeps its number."""
    client_ip: str
    client_host: str = ""
    """SMTP: confirmed reverse name, ``[UNAVAILABLE]`` or ``[TEMPUNAVAIL]``. Empty: not sent."""
    client_port: int = 0
    """Ours: 0 with a unix socket, and then not sent."""
    server_port: int = 0
    """Ours: the port the client connected to; 0 with a unix socket, and then not sent."""
    server_ip: str = ""
    """The address the client connected to. Told in the operator's own headers only; empty unless
    one of them asks for it."""
    session: str = ""
    """Our name of the session, likewise."""
    salt: bytes = b""
    """apop, cram-md5: the challenge with its angle brackets."""
    proxy: ProxyFacts | None = None
    tls: TlsFacts | None = None
    """None: the login came in clear."""
    smtp_helo: bytes = b""
    smtp_from: bytes = b""
    smtp_to: bytes = b""
    """none: the client's name; the whole MAIL and RCPT line as typed, without spaces at its end."""

    def __repr__(self) -> str:
        return (
            f"AuthRequest({self.protocol}, {self.method}, {self.login!r}, attempt={self.attempt})"
        )


def render_request_headers(request: AuthRequest) -> bytes:
    """Render the headers of a request in nginx's wire order, ours behind, each ended with CRLF."""
    return (
        b"Auth-Method: %b\r\nAuth-User: %b\r\nAuth-Pass: %b\r\n%bAuth-Protocol: %b\r\n"
        b"Auth-Login-Attempt: %d\r\nClient-IP: %b\r\n%b%b"
        % (
            request.method.encode(),
            escape(request.login),
            escape(request.password),
            b"Auth-Salt: %b\r\n" % one_line(request.salt) if request.salt else b"",
            _PROTOCOLS[request.protocol],
            request.attempt,
            escape(request.client_ip.encode()),
            _rare_headers(request),
            _ports(request.client_port, request.server_port),
        )
    )


def _rare_headers(request: AuthRequest) -> bytes:
    text = b""
    if request.client_host:
        # a reverse name is what some stranger's zone says: it may hold a line break, too
        host = escape(request.client_host.encode("latin-1", "replace"))
        text += b"Client-Host: %b\r\n" % host
    if request.proxy is not None:
        text += _proxy_headers(request.proxy)
    if request.method == "none":
        text += b"Auth-SMTP-Helo: %b\r\nAuth-SMTP-From: %b\r\nAuth-SMTP-To: %b\r\n" % (
            one_line(request.smtp_helo),
            one_line(request.smtp_from),
            one_line(request.smtp_to),
        )
    if request.tls is not None:
        text += _tls_headers(request.tls)
    return text


def _ports(client: int, server: int) -> bytes:
    if client and server:
        return b"Client-Port: %d\r\nAuth-Port: %d\r\n" % (client, server)
    if client:
        return b"Client-Port: %d\r\n" % client
    return b"Auth-Port: %d\r\n" % server if server else b""


def _proxy_headers(proxy: ProxyFacts) -> bytes:
    return (
        b"Proxy-Protocol-Addr: %b\r\nProxy-Protocol-Port: %d\r\n"
        b"Proxy-Protocol-Server-Addr: %b\r\nProxy-Protocol-Server-Port: %d\r\n"
        % (
            escape(proxy.client_ip.encode()),
            proxy.client_port,
            escape(proxy.server_ip.encode()),
            proxy.server_port,
        )
    )


def _tls_headers(tls: TlsFacts) -> bytes:
    text = b"Auth-SSL: on\r\nAuth-SSL-Protocol: %b\r\nAuth-SSL-Cipher: %b\r\n" % (
        tls.protocol.encode(),
        tls.cipher.encode(),
    )
    if not tls.verify:
        return text
    told = (
        (b"Verify", tls.verify),
        (b"Subject", tls.subject),
        (b"Issuer", tls.issuer),
        (b"Serial", tls.serial),
        (b"Fingerprint", tls.fingerprint),
    )
    for name, value in told:
        if value:
            text += b"Auth-SSL-%b: %b\r\n" % (name, one_line(value.encode()))
    if tls.certificate:
        text += b"Auth-SSL-Cert: %b\r\n" % escape(tls.certificate.encode())
    return text


def read_request(headers: Mapping[str, bytes]) -> AuthRequest:
    """Read a request from its headers. ``headers``: lower-case names to raw values.

    Raises ValueError naming the header for a request that no proxy sends.
    """
    for name in ("auth-user", "auth-pass", "auth-protocol"):
        if name not in headers:
            raise ValueError(f"{name} is missing")
    try:
        protocol = Protocol(headers["auth-protocol"].decode("ascii", "replace").lower())
    except ValueError:
        raise ValueError("auth-protocol is not imap, pop3 or smtp") from None
    return AuthRequest(
        protocol=protocol,
        method=headers.get("auth-method", b"plain").decode("ascii", "replace").lower(),
        login=unescape(headers["auth-user"]),
        password=unescape(headers["auth-pass"]),
        attempt=_number(headers, "auth-login-attempt", 1),
        client_ip=_text(headers, "client-ip"),
        client_host=headers.get("client-host", b"").decode("latin-1"),
        client_port=_number(headers, "client-port", 0),
        server_port=_number(headers, "auth-port", 0),
        salt=headers.get("auth-salt", b""),
        proxy=_read_proxy(headers),
        tls=_read_tls(headers),
        smtp_helo=headers.get("auth-smtp-helo", b""),
        smtp_from=headers.get("auth-smtp-from", b""),
        smtp_to=headers.get("auth-smtp-to", b""),
    )


def _read_proxy(headers: Mapping[str, bytes]) -> ProxyFacts | None:
    if "proxy-protocol-addr" not in headers:
        return None
    return ProxyFacts(
        client_ip=_text(headers, "proxy-protocol-addr"),
        client_port=_number(headers, "proxy-protocol-port", 0),
        server_ip=_text(headers, "proxy-protocol-server-addr"),
        server_port=_number(headers, "proxy-protocol-server-port", 0),
    )


def _read_tls(headers: Mapping[str, bytes]) -> TlsFacts | None:
    if headers.get("auth-ssl") != b"on":
        return None

    def text(name: str) -> str:
        return headers.get(f"auth-ssl-{name}", b"").decode("utf-8", "replace")

    return TlsFacts(
        protocol=text("protocol"),
        cipher=text("cipher"),
        verify=text("verify"),
        subject=text("subject"),
        issuer=text("issuer"),
        serial=text("serial"),
        fingerprint=text("fingerprint"),
        certificate=unescape(headers.get("auth-ssl-cert", b"")).decode("ascii", "replace"),
    )


def _text(headers: Mapping[str, bytes], name: str) -> str:
    return headers.get(name, b"").decode("ascii", "replace")


def _number(headers: Mapping[str, bytes], name: str, default: int) -> int:
    value = headers.get(name)
    if value is None:
        return default
    if not value.isdigit() or len(value) > 9:
        raise ValueError(f"{name} is not a number")
    return int(value)
