"""The auth_http protocol: what is asked about a login, and what may be answered.

Both ends use this module: the daemon renders requests and reads replies, the appliance's view
reads requests and renders replies, so neither can disagree with the other. Wire order, escaping
and the meaning of every header are nginx's (its mail_auth_http module); deviations are marked.

Values from the wire are ``bytes``: a login or password may hold any octet.
"""

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from proxycore.contract.protocol import Protocol
from proxycore.contract.reasons import CloseReason

MAX_REPLY_BYTES: Final = 16_384
"""Most octets of reply headers taken. nginx stalls past 1,024; ours is a limit with a fault."""

_MAX_TEXT_BYTES: Final = 512
"""Longest failure text shown to a client: an SMTP reply line (RFC 5321 §4.5.3.1.5)."""

DEFAULT_FAILURE: Final = b"Invalid login or password"
"""Shown when the service refuses with an empty text (nginx lets SMTP in, in that case)."""

NODE_TOKEN_HEADER: Final = "X-Postroad-Node-Token"  # noqa: S105  (a header's name)


@dataclass(slots=True, kw_only=True)
class AuthRequest:
    """One credential submission.

    Not frozen: it is built on the path of every login. Nobody changes it afterwards.
    """

    protocol: Protocol
    method: str
    """``plain`` today; ``apop cram-md5 external none`` as the mechanisms arrive."""
    login: bytes
    password: bytes
    attempt: int
    """1 for the first submission of the session, then +1 each; a WAIT retry keeps its number."""
    client_ip: str
    client_host: str = ""
    """SMTP: confirmed reverse name, ``[UNAVAILABLE]`` or ``[TEMPUNAVAIL]``. Empty: not sent."""

    def __repr__(self) -> str:
        return (
            f"AuthRequest({self.protocol}, {self.method}, {self.login!r}, attempt={self.attempt})"
        )


@dataclass(slots=True, kw_only=True)
class AuthOk:
    """Let the client in, to this mail server."""

    server: str
    """IP address without brackets."""
    port: int
    login: bytes | None = None
    """Login towards the mail server; None keeps the client's."""
    password: bytes | None = None
    """Password towards the mail server; None keeps the client's."""

    def __repr__(self) -> str:
        return f"AuthOk({self.server}, {self.port}, login={self.login!r})"


@dataclass(slots=True, kw_only=True)
class AuthFailed:
    """Refuse; ``wait_s`` 0 also ends the session after the reply."""

    text: bytes
    wait_s: int = 0
    error_code: bytes = b""
    """SMTP: replaces ``535 5.7.0``."""
    login: bytes | None = None


@dataclass(slots=True, kw_only=True)
class AuthWait:
    """Ask again, with the same data, after ``wait_s``."""

    wait_s: int
    login: bytes | None = None


@dataclass(slots=True)
class AuthFault:
    """There is no usable answer; the client gets the internal-error reply."""

    reason: CloseReason
    detail: str
    """For the log, in nginx's words where it has them."""


Verdict = AuthOk | AuthFailed | AuthWait | AuthFault


# --- escaping -----------------------------------------------------------------------------------

_UNSAFE = re.compile(rb"[\x00-\x20%]")
_ESCAPED = re.compile(rb"%([0-9A-Fa-f]{2})")


def escape(value: bytes) -> bytes:
    """Escape 0x00-0x20 and ``%`` as ``%HH``; everything else goes raw, as in nginx."""
    if _UNSAFE.search(value) is None:
        return value
    return _UNSAFE.sub(lambda found: b"%%%02X" % found.group()[0], value)


def unescape(value: bytes) -> bytes:
    """Undo ``escape``; a ``%`` without two hex digits stays as it is."""
    if b"%" not in value:
        return value
    return _ESCAPED.sub(lambda found: bytes((int(found.group(1), 16),)), value)


# --- request ------------------------------------------------------------------------------------


def render_request_headers(request: AuthRequest) -> bytes:
    """Render the headers of a request in nginx's wire order, each line ended with CRLF."""
    lines = [
        b"Auth-Method: %b\r\nAuth-User: %b\r\nAuth-Pass: %b\r\nAuth-Protocol: %b\r\n"
        b"Auth-Login-Attempt: %d\r\nClient-IP: %b\r\n"
        % (
            request.method.encode(),
            escape(request.login),
            escape(request.password),
            request.protocol.value.encode(),
            request.attempt,
            escape(request.client_ip.encode()),
        )
    ]
    if request.client_host:
        # a reverse name is what some stranger's zone says: it may hold a line break, too
        host = escape(request.client_host.encode("latin-1", "replace"))
        lines.append(b"Client-Host: %b\r\n" % host)
    return b"".join(lines)


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
    attempt = headers.get("auth-login-attempt", b"1")
    if not attempt.isdigit() or len(attempt) > 9:
        raise ValueError("auth-login-attempt is not a number")
    return AuthRequest(
        protocol=protocol,
        method=headers.get("auth-method", b"plain").decode("ascii", "replace").lower(),
        login=unescape(headers["auth-user"]),
        password=unescape(headers["auth-pass"]),
        attempt=int(attempt),
        client_ip=headers.get("client-ip", b"").decode("ascii", "replace"),
        client_host=headers.get("client-host", b"").decode("latin-1"),
    )


# --- reply --------------------------------------------------------------------------------------


def render_reply_headers(verdict: AuthOk | AuthFailed | AuthWait) -> list[tuple[str, bytes]]:
    """Render a verdict as reply headers. Bytes that could end a header line are refused."""
    headers: list[tuple[str, bytes]]
    if isinstance(verdict, AuthOk):
        headers = [
            ("Auth-Status", b"OK"),
            ("Auth-Server", verdict.server.encode()),
            ("Auth-Port", b"%d" % verdict.port),
        ]
        if verdict.password is not None:
            headers.append(("Auth-Pass", verdict.password))
    elif isinstance(verdict, AuthWait):
        headers = [("Auth-Status", b"WAIT"), ("Auth-Wait", b"%d" % verdict.wait_s)]
    else:
        headers = [("Auth-Status", verdict.text or DEFAULT_FAILURE)]
        if verdict.wait_s:
            headers.append(("Auth-Wait", b"%d" % verdict.wait_s))
        if verdict.error_code:
            headers.append(("Auth-Error-Code", verdict.error_code))
    if verdict.login is not None:
        headers.append(("Auth-User", verdict.login))
    for name, value in headers:
        if _LINE_BREAKS.search(value):
            raise ValueError(f"{name} must not contain CR, LF or NUL")
    return headers


_LINE_BREAKS = re.compile(rb"[\r\n\x00]")
_HEADER_NAME = re.compile(rb"[0-9A-Za-z][0-9A-Za-z-]*")
_ERROR_CODE = re.compile(rb"[245]\d\d(?: [245]\.\d{1,3}\.\d{1,3})?")


def read_reply_headers(lines: Iterable[bytes]) -> Verdict:
    """Read a verdict from header lines (status line and line ends already taken off).

    Total: anything unusable is an ``AuthFault``. Whether a missing password is a fault depends on
    protocol and method, so the asker decides that.
    """
    found: dict[bytes, bytes] = {}
    status: bytes | None = None
    failed: bytes | None = None
    for line in lines:
        name, colon, rest = line.partition(b":")
        if _HEADER_NAME.fullmatch(name) is None:
            return _invalid("sent invalid header in response")
        if not colon:
            continue
        name, value = name.lower(), rest.strip(b" ")
        if name == b"auth-status":
            status = value
            # an error seen once is not taken back by a later OK (nginx keeps it too)
            if value not in (b"OK", b"WAIT") and failed is None:
                failed = value
        else:
            found[name] = value
    login, wait_s = found.get(b"auth-user"), _wait_s(found.get(b"auth-wait", b""))
    if failed is not None:
        return AuthFailed(
            text=clean_text(failed),
            wait_s=wait_s,
            error_code=_error_code(found.get(b"auth-error-code", b"")),
            login=_one_line(login),
        )
    if status == b"WAIT":
        return AuthWait(wait_s=wait_s, login=_one_line(login))
    return _read_ok(found)


def _read_ok(found: dict[bytes, bytes]) -> AuthOk | AuthFault:
    server, port = found.get(b"auth-server"), found.get(b"auth-port")
    if not server or not port:
        return _invalid("did not send server or port")
    login, password = found.get(b"auth-user"), found.get(b"auth-pass")
    for value in (login, password):
        if value is not None and _LINE_BREAKS.search(value):
            return _invalid("sent a login or password with a line break")
    if not is_ip_address(server):
        return _invalid(f'sent invalid server address:"{clean_text(server).decode("latin-1")}"')
    # five digits are every port; more would only cost an int() of what a peer sent
    if not port.isdigit() or len(port) > 5 or not 1 <= int(port) <= 65535:
        return _invalid(f'sent invalid server port:"{clean_text(port).decode("latin-1")}"')
    return AuthOk(server=_plain_ip(server), port=int(port), login=login, password=password)


_IPV4 = re.compile(rb"(?:25[0-5]|2[0-4]\d|[01]?\d?\d)(?:\.(?:25[0-5]|2[0-4]\d|[01]?\d?\d)){3}")


def is_ip_address(text: bytes) -> bool:
    """Tell whether this is a dotted quad or a bare IPv6 address."""
    if _IPV4.fullmatch(text):
        return True
    if b":" not in text or len(text) > 45:
        return False
    try:
        ipaddress.IPv6Address(text.decode("ascii"))
    except (ValueError, UnicodeDecodeError):
        return False
    return b"%" not in text


def _plain_ip(text: bytes) -> str:
    """Give the address without leading zeros, which the C library would take for octal."""
    if b":" in text:
        return text.decode("ascii")
    return ".".join(str(int(part)) for part in text.split(b"."))


def clean_text(text: bytes) -> bytes:
    """Make a text from the auth service fit for one reply line to a client."""
    return _CONTROLS.sub(b"?", text)[:_MAX_TEXT_BYTES] or DEFAULT_FAILURE


_CONTROLS = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f-\xff]")


def _one_line(value: bytes | None) -> bytes | None:
    return None if value is None or _LINE_BREAKS.search(value) else value


def _wait_s(value: bytes) -> int:
    # a non-number is ignored, as in nginx; a day is longer than any client waits
    return min(int(value), 86_400) if value.isdigit() and len(value) < 10 else 0


def _error_code(value: bytes) -> bytes:
    return value if _ERROR_CODE.fullmatch(value) else b""


def _invalid(detail: str) -> AuthFault:
    return AuthFault(CloseReason.AUTH_INVALID, detail)
