"""A node's records as rows. Whatever a node says is looked at; what is no record is left out."""

import ipaddress
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from appliance.history.models import MAX_FAULT, MAX_LOGIN, MAX_SESSION, SessionRecord
from appliance.lib.text import storable
from proxycore.contract.reasons import CloseReason

_MOST: Final = 2**63 - 1
_MOST_SMALL: Final = 2**31 - 1
_UPPER: Final = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}
_PHASES: Final = ("tls", "credentials", "auth", "connect", "login", "relay")


class Unreadable(ValueError):
    """That is no record."""


def account_of(login: str) -> str:
    """Give the form of a login by which the history finds it: A–Z as a–z."""
    return login.strip().translate(_UPPER)[:MAX_LOGIN]


def packed(address: str) -> bytes:
    """Give an address as 16 octets; none for what is no IP address, such as ``unix:``."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return b""
    return ip.packed if ip.version == 6 else b"\0" * 10 + b"\xff\xff" + ip.packed


def shown_address(octets: bytes | memoryview) -> str:
    """Give an address as people write it; ``unix:`` for none."""
    if not octets:
        return "unix:"
    ip = ipaddress.IPv6Address(bytes(octets))
    return str(ip.ipv4_mapped or ip)


def session_row(node: int, plain: Mapping[str, Any], now: datetime) -> SessionRecord:
    """Give the row of an ended session (contract.access.AccessRecord). Raises Unreadable."""
    ms, front, back = _object(plain, "ms"), _maybe(plain, "front_tls"), _maybe(plain, "back_tls")
    proxy = _maybe(plain, "proxy")
    total = _count(ms, "total", _MOST)
    row = _common(node, plain)
    submitted, known_as = _text(plain, "submitted", MAX_LOGIN), row.login
    if submitted:
        row.login, row.back_login = submitted, known_as
    row.account = account_of(row.login)
    row.ended_at = min(_time(plain) + timedelta(milliseconds=min(total, _MOST_SMALL * 1000)), now)
    row.total_ms = total
    for phase in _PHASES:
        setattr(row, f"{phase}_ms", None if ms.get(phase) is None else _count(ms, phase, _MOST))
    row.proxied_by = _text(proxy, "peer", 64) if proxy else ""
    row.auth_session = _text(plain, "auth_session", 128)
    row.attempts = _count(plain, "attempts", _MOST_SMALL)
    row.backend = _text(plain, "backend", 128)
    if front:
        row.front_tls, row.front_cipher = _text(front, "protocol", 16), _text(front, "cipher", 64)
        row.front_sni, row.front_alpn = _text(front, "sni", 255), _text(front, "alpn", 32)
        row.front_verify, row.front_resumed = _text(front, "verify", 128), _flag(front, "resumed")
    if back:
        row.back_tls, row.back_cipher = _text(back, "protocol", 16), _text(back, "cipher", 64)
        row.back_verify, row.back_resumed = _text(back, "verify", 128), _flag(back, "resumed")
    row.bytes_to_front = _count(plain, "bytes_to_front", _MOST)
    row.bytes_to_back = _count(plain, "bytes_to_back", _MOST)
    row.reason = _text(plain, "reason", 32)
    row.fault = _text(plain, "fault", MAX_FAULT)
    return row


def login_row(node: int, plain: Mapping[str, Any], now: datetime) -> SessionRecord:
    """Give the row of a refused login (contract.access.FailedLogin). Raises Unreadable."""
    row = _common(node, plain)
    row.attempt = row.attempts = _count(plain, "attempt", _MOST_SMALL)
    if not row.attempt:
        raise Unreadable("attempt")
    row.account = account_of(row.login)
    row.ended_at = min(_time(plain), now)
    row.front_tls = _text(plain, "tls", 16)
    row.reason = CloseReason.LOGIN_FAILED.value
    row.fault = _text(plain, "text", MAX_FAULT)
    return row


def _common(node: int, plain: Mapping[str, Any]) -> SessionRecord:
    session = _text(plain, "session", MAX_SESSION)
    if not session:
        raise Unreadable("session")
    return SessionRecord(
        node=node,
        session=session,
        server=_text(plain, "server", 100),
        protocol=_text(plain, "protocol", 8),
        listen=_text(plain, "listen", 128),
        address=packed(_text(plain, "client", 64)),
        port=_count(plain, "client_port", 65_535),
        login=_text(plain, "login", MAX_LOGIN),
        method=_text(plain, "method", 16),
        cached=_flag(plain, "cached"),
    )


def _text(plain: Mapping[str, Any], name: str, length: int) -> str:
    value = plain.get(name)
    if type(value) is not str:
        raise Unreadable(name)
    if not value.isascii():
        # JSON can write half a character, which no database takes
        value = value.encode("utf-8", "replace").decode("utf-8")
    return storable(value, length)


def _count(plain: Mapping[str, Any], name: str, most: int) -> int:
    value = plain.get(name)
    if type(value) is not int or not 0 <= value <= most:
        raise Unreadable(name)
    return value


def _flag(plain: Mapping[str, Any], name: str) -> bool:
    value = plain.get(name)
    if type(value) is not bool:
        raise Unreadable(name)
    return value


def _object(plain: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = plain.get(name)
    if not isinstance(value, dict):
        raise Unreadable(name)
    return value


def _maybe(plain: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    return None if plain.get(name) is None else _object(plain, name)


def _time(plain: Mapping[str, Any]) -> datetime:
    try:
        at = datetime.fromisoformat(_text(plain, "time", 40))
    except ValueError:
        raise Unreadable("time") from None
    if at.tzinfo is None or not 1970 <= at.year < 9000:
        raise Unreadable("time")
    return at.astimezone(UTC)
