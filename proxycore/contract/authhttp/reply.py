"""What is answered about a login: the headers of an auth reply, out and in."""

import re
from collections.abc import Iterable
from typing import Final

from proxycore.contract.authhttp.escaping import breaks_line
from proxycore.contract.authhttp.places import is_host_name, is_ip_address, read_place
from proxycore.contract.authhttp.verdict import (
    DEFAULT_FAILURE,
    AuthFailed,
    AuthFault,
    AuthOk,
    AuthWait,
    Verdict,
)
from proxycore.contract.reasons import CloseReason

MAX_REPLY_BYTES: Final = 16_384
"""Most octets of reply headers taken. nginx stalls past 1,024; ours is a limit with a fault."""

_MAX_TEXT_BYTES: Final = 512
"""Longest failure text shown to a client: an SMTP reply line (RFC 5321 §4.5.3.1.5)."""

_MAX_WAIT_S: Final = 86_400
"""A day is longer than any client waits."""

_PROXY_SSL: Final = (b"off", b"on", b"starttls")
_SWITCH: Final = {b"on": True, b"off": False}


def render_reply_headers(verdict: AuthOk | AuthFailed | AuthWait) -> list[tuple[str, bytes]]:
    """Render a verdict as reply headers. Bytes that could end a header line are refused."""
    if isinstance(verdict, AuthOk):
        headers = _render_ok(verdict)
    elif isinstance(verdict, AuthWait):
        headers = [("Auth-Status", b"WAIT"), ("Auth-Wait", b"%d" % verdict.wait_s)]
    else:
        headers = _render_failed(verdict)
    if verdict.login is not None:
        headers.append(("Auth-User", verdict.login))
    for name, value in headers:
        if breaks_line(value):
            raise ValueError(f"{name} must not contain CR, LF or NUL")
    return headers


def _render_ok(verdict: AuthOk) -> list[tuple[str, bytes]]:
    headers = [
        ("Auth-Status", b"OK"),
        ("Auth-Server", verdict.server.encode("utf-8", "surrogateescape")),
        ("Auth-Port", b"%d" % verdict.port),
    ]
    if verdict.password is not None:
        headers.append(("Auth-Pass", verdict.password))
    if verdict.master:
        headers.append(("Auth-Proxy-Master", verdict.master))
    if verdict.proxy_ssl is not None:
        headers.append(("Auth-Proxy-SSL", verdict.proxy_ssl.encode()))
    if verdict.proxy_ssl_name:
        headers.append(("Auth-Proxy-SSL-Name", verdict.proxy_ssl_name.encode()))
    if verdict.proxy_auth is not None:
        headers.append(("Auth-Proxy-Auth", b"on" if verdict.proxy_auth else b"off"))
    if verdict.cache_ttl_s is not None:
        headers.append(("Auth-Cache-TTL", b"%d" % verdict.cache_ttl_s))
    if verdict.session:
        headers.append(("Auth-Session", verdict.session.encode()))
    return headers


def _render_failed(verdict: AuthFailed) -> list[tuple[str, bytes]]:
    headers = [("Auth-Status", verdict.text or DEFAULT_FAILURE)]
    if verdict.wait_s:
        headers.append(("Auth-Wait", b"%d" % verdict.wait_s))
    if verdict.error_code:
        headers.append(("Auth-Error-Code", verdict.error_code))
    if verdict.error_sasl:
        headers.append(("Auth-Error-SASL", verdict.error_sasl))
    if verdict.session:
        headers.append(("Auth-Session", verdict.session.encode()))
    return headers


_HEADER_NAME = re.compile(rb"[0-9A-Za-z][0-9A-Za-z-]*")
_ERROR_CODE = re.compile(rb"[245]\d\d(?: [245]\.\d{1,3}\.\d{1,3})?")
_BASE64 = re.compile(rb"(?:[A-Za-z0-9+/]{4}){0,1024}(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_SESSION = re.compile(rb"[\x21-\x7e]{1,128}")


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
            error_code=_whole(_ERROR_CODE, found.get(b"auth-error-code")),
            login=_one_line(login),
            error_sasl=_whole(_BASE64, found.get(b"auth-error-sasl")),
            session=_whole(_SESSION, found.get(b"auth-session")).decode("ascii"),
        )
    if status == b"WAIT":
        return AuthWait(wait_s=wait_s, login=_one_line(login))
    return _read_ok(found)


def _read_ok(found: dict[bytes, bytes]) -> AuthOk | AuthFault:
    server, port = found.get(b"auth-server"), found.get(b"auth-port")
    if not server or (not port and not server.startswith(b"unix:")):
        return _invalid("did not send server or port")
    login, password = found.get(b"auth-user"), found.get(b"auth-pass")
    for value in (login, password):
        if value is not None and breaks_line(value):
            return _invalid("sent a login or password with a line break")
    place = read_place(server)
    if place is None:
        return _invalid(f'sent invalid server address:"{clean_text(server).decode("latin-1")}"')
    number = 0 if server.startswith(b"unix:") else _port(port or b"")
    if number is None:
        shown = clean_text(port or b"").decode("latin-1")
        return _invalid(f'sent invalid server port:"{shown}"')
    verdict = AuthOk(server=place, port=number, login=login, password=password)
    return verdict if _OURS.isdisjoint(found) else _read_ours(verdict, found)


_OURS: Final = frozenset(
    (
        b"auth-proxy-ssl",
        b"auth-proxy-ssl-name",
        b"auth-proxy-auth",
        b"auth-proxy-master",
        b"auth-cache-ttl",
        b"auth-session",
    )
)


def _read_ours(verdict: AuthOk, found: dict[bytes, bytes]) -> AuthOk | AuthFault:
    """Read what nginx does not know. What decides about secrets is never guessed."""
    if (tls := found.get(b"auth-proxy-ssl")) is not None:
        if tls not in _PROXY_SSL:
            return _invalid_value("Auth-Proxy-SSL", tls)
        verdict.proxy_ssl = tls.decode()
    if name := found.get(b"auth-proxy-ssl-name"):
        if not is_host_name(name) and not is_ip_address(name):
            return _invalid_value("Auth-Proxy-SSL-Name", name)
        verdict.proxy_ssl_name = name.decode()
    if (auth := found.get(b"auth-proxy-auth")) is not None:
        if auth not in _SWITCH:
            return _invalid_value("Auth-Proxy-Auth", auth)
        verdict.proxy_auth = _SWITCH[auth]
    verdict.master = found.get(b"auth-proxy-master", b"")
    if breaks_line(verdict.master):
        return _invalid_value("Auth-Proxy-Master", verdict.master)
    if verdict.master and verdict.password is None:
        # the client's password must not be tried as somebody else's
        return _invalid("sent Auth-Proxy-Master without Auth-Pass")
    _read_asides(verdict, found)
    return verdict


def _read_asides(verdict: AuthOk, found: dict[bytes, bytes]) -> None:
    """Read what changes nothing about the login; what is malformed is passed over."""
    if (ttl := found.get(b"auth-cache-ttl", b"")).isdigit() and len(ttl) < 10:
        verdict.cache_ttl_s = int(ttl)
    verdict.session = _whole(_SESSION, found.get(b"auth-session")).decode("ascii")


def _port(text: bytes) -> int | None:
    # five digits are every port; more would only cost an int() of what a peer sent
    if not text.isdigit() or len(text) > 5 or not 1 <= int(text) <= 65535:
        return None
    return int(text)


def clean_text(text: bytes) -> bytes:
    """Make a text from the auth service fit for one reply line to a client."""
    return _CONTROLS.sub(b"?", text)[:_MAX_TEXT_BYTES] or DEFAULT_FAILURE


_CONTROLS = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f-\xff]")


def _one_line(value: bytes | None) -> bytes | None:
    return None if value is None or breaks_line(value) else value


def _wait_s(value: bytes) -> int:
    # a non-number is ignored, as in nginx
    return min(int(value), _MAX_WAIT_S) if value.isdigit() and len(value) < 10 else 0


def _whole(pattern: "re.Pattern[bytes]", value: bytes | None) -> bytes:
    """Give a value that has the form it must have; any other is as good as none."""
    return value if value is not None and pattern.fullmatch(value) else b""


def _invalid_value(name: str, value: bytes) -> AuthFault:
    return _invalid(f'sent invalid {name}:"{clean_text(value).decode("latin-1")}"')


def _invalid(detail: str) -> AuthFault:
    return AuthFault(CloseReason.AUTH_INVALID, detail)
