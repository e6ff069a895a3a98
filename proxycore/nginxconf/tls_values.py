"""The kinds of value that TLS directives have. Files are named, not read: see ``net.tls``."""

import re
from collections.abc import Iterable
from typing import Any, Final

from proxycore.contract.fields import settings_of
from proxycore.contract.secret import Secret
from proxycore.contract.tls import PROTOCOLS, BackTls, ConfCommand, FrontTls
from proxycore.nginxconf.problems import Refused, Report
from proxycore.nginxconf.source import Statement
from proxycore.nginxconf.values import Kind, parse_size, whole_number, write_size

GONE: Final = ("SSLv2", "SSLv3")
"""Protocols that no OpenSSL of today has."""

BUILTIN_SESSIONS: Final = 20_480
"""Sessions in ``ssl_session_cache builtin`` without a number (OpenSSL's default)."""

_SMALLEST_CACHE: Final = 8 * 4096  # nginx: eight pages
_FRONT: Final = settings_of(FrontTls)


# --- files --------------------------------------------------------------------------------------


def _parse_key(statement: Statement, _: Report) -> tuple[Secret, ...]:
    text = statement.args[0]
    for prefix in ("engine:", "store:"):
        if text.startswith(prefix):
            raise Refused(f'cannot load certificate key "{text}": "{prefix}" is not supported')
    return (Secret(text),)


def _parse_secret(statement: Statement, _: Report) -> Secret:
    return Secret(statement.args[0])


# --- protocols ----------------------------------------------------------------------------------


def _parse_protocols(statement: Statement, report: Report) -> tuple[str, ...]:
    names = {name.lower(): name for name in PROTOCOLS}
    chosen: dict[str, None] = {}
    for text in statement.args:
        name = names.get(text.lower())
        if name is None:
            raise Refused(f'invalid value "{text}"')
        if name in chosen:
            report.warn(f'duplicate value "{text}"', statement.place)
        chosen[name] = None
    gone = [name for name in GONE if name in chosen]
    if gone:
        text = " and ".join(gone)
        left = f"OpenSSL has no {text} any more: clients are offered the other protocols only"
        report.warn(f'"{statement.name}": {left}', statement.place)
    return tuple(chosen)


def provided(names: Iterable[str]) -> tuple[str, ...]:
    """Give those protocols that there still are, oldest first."""
    chosen = set(names)
    return tuple(name for name in PROTOCOLS if name in chosen and name not in GONE)


# --- sessions -----------------------------------------------------------------------------------


def _parse_session_cache(statement: Statement, report: Report) -> tuple[str, ...]:
    return tuple(_cache_word(text, statement, report) for text in statement.args)


def _cache_word(text: str, statement: Statement, report: Report) -> str:
    kind, _, rest = text.partition(":")
    if text in ("off", "none"):
        return text
    if text == "builtin":
        return f"builtin:{BUILTIN_SESSIONS}"
    if kind == "builtin":
        count, most = whole_number(rest), _FRONT["ssl_session_cache_builtin_count"].maximum or 0
        if count is None:
            raise Refused(f'invalid session cache "{text}"')
        if not 0 < count <= most:
            # OpenSSL takes 0 for a cache without a limit
            report.warn(f'"{text}" has no bound that helps: {most} is used', statement.place)
            count = most
        return f"builtin:{count}"
    name, _, size_text = rest.partition(":")
    size = parse_size(size_text)
    if kind != "shared" or not name or size is None:
        raise Refused(f'invalid session cache "{text}"')
    if size < _SMALLEST_CACHE:
        raise Refused(f'session cache "{text}" is too small')
    return f"shared:{name}:{size}"


def write_session_cache(front: FrontTls) -> Iterable[str]:
    """Give the words for the session cache; none for what is so without any."""
    shared = front.ssl_session_cache_shared_name
    if front.ssl_session_cache == "off" or (front.ssl_session_cache == "none" and shared):
        yield front.ssl_session_cache
    if front.ssl_session_cache == "stored" and front.ssl_session_cache_builtin_count:
        yield f"builtin:{front.ssl_session_cache_builtin_count}"
    if shared:
        yield f"shared:{shared}:{write_size(front.ssl_session_cache_shared_bytes)}"


def cache_settings(of_mail: tuple[str, ...], of_server: tuple[str, ...]) -> dict[str, Any]:
    """Give the settings that ``ssl_session_cache`` of both blocks means.

    Source: ngx_mail_ssl_session_cache and its merge: a later word replaces what it speaks of, and
    the two parts are inherited apart.
    """
    (builtin, shared), (outer_builtin, outer_shared) = _cache_of(of_server), _cache_of(of_mail)
    builtin, shared = builtin or outer_builtin or "none", shared or outer_shared
    found: dict[str, Any] = {"ssl_session_cache": builtin}
    if builtin not in ("off", "none"):
        found["ssl_session_cache"] = "stored"
        found["ssl_session_cache_builtin_count"] = int(builtin.partition(":")[2] or "0")
    if shared:
        _, name, size = shared.split(":")
        found["ssl_session_cache_shared_name"] = name
        found["ssl_session_cache_shared_bytes"] = int(size)
    return found


def _cache_of(words: tuple[str, ...]) -> tuple[str, str]:
    builtin = shared = ""
    for word in words:
        if word.startswith("shared:"):
            shared = word
        else:
            builtin = word
    return builtin or ("no builtin" if shared else ""), shared


_UNIT_S: Final = {
    "y": 31_536_000,
    "M": 2_592_000,
    "w": 604_800,
    "d": 86_400,
    "h": 3_600,
    "m": 60,
    "s": 1,
    "": 1,
}
_SECONDS: Final = re.compile(r"([0-9]{1,12})([yMwdhms]?) *")


def parse_seconds(text: str) -> int | None:
    """Read a time as nginx's slots of seconds do; None when it is not one (no ``ms``)."""
    total, rank, at, order = 0, -1, 0, list(_UNIT_S)
    while at < len(text):
        part = _SECONDS.match(text, at)
        if part is None:
            return None
        place = order.index(part[2]) - (part[2] == "")
        if place <= rank:
            return None
        rank, at = place, part.end()
        total += int(part[1]) * _UNIT_S[part[2]]
    return total if text else None


def _parse_session_timeout(statement: Statement, report: Report) -> int:
    seconds = parse_seconds(statement.args[0])
    if seconds is None:
        raise Refused(f'"{statement.name}" directive invalid value')
    declared = _FRONT["ssl_session_timeout_ms"]
    kept = min(max(seconds * 1000, declared.minimum or 0), declared.maximum or 0)
    if kept != seconds * 1000:
        # RFC 8446 §4.6.1 has the upper limit
        text = f'"{statement.name}" can be 1s to 7d: {kept // 1000}s are used'
        report.warn(text, statement.place)
    return kept


def _write_seconds(value_ms: int) -> Iterable[str]:
    seconds = -(-value_ms // 1000)
    for unit in ("d", "h", "m"):
        if seconds % _UNIT_S[unit] == 0:
            return (f"{seconds // _UNIT_S[unit]}{unit}",)
    return (f"{seconds}s",)


# --- the rest -----------------------------------------------------------------------------------


def _parse_conf_command(statement: Statement, _: Report) -> tuple[ConfCommand, ...]:
    name, value = statement.args
    return (ConfCommand(name=name, value=value),)


_PROXY_SSL: Final = {
    "on": "implicit",
    "off": "none",
    "starttls": "starttls",
    "implicit": "implicit",
    "none": "none",
}
"""Words and what they mean; the first of a meaning is written."""


def _parse_proxy_ssl(statement: Statement, _: Report) -> str:
    found = _PROXY_SSL.get(statement.args[0].lower())
    if found is None:
        raise Refused(f'invalid value "{statement.args[0]}"')
    return found


def _write_proxy_ssl(value: str) -> Iterable[str]:
    return (next(word for word, meant in _PROXY_SSL.items() if meant == value),)


def _parse_pin(statement: Statement, _: Report) -> tuple[str, ...]:
    for text in statement.args:
        if re.fullmatch(settings_of(BackTls)["proxy_ssl_pins"].pattern, text) is None:
            raise Refused(f'invalid value "{text}", it must be "sha256/" and 43 characters and "="')
    return statement.args


PATHS: Final = Kind(lambda statement, _: statement.args, lambda value: value)
KEYS: Final = Kind(_parse_key, lambda value: (value.reveal(),))
KEY: Final = Kind(lambda statement, _: _parse_key(statement, _)[0], lambda value: (value.reveal(),))
SECRET_FILE: Final = Kind(_parse_secret, lambda value: (value.reveal(),))
PROTOCOL_NAMES: Final = Kind(_parse_protocols, provided)
SESSION_CACHE: Final = Kind(_parse_session_cache, lambda words: words)
SESSION_TIMEOUT: Final = Kind(_parse_session_timeout, _write_seconds)
CONF_COMMAND: Final = Kind(_parse_conf_command, lambda one: (one.name, one.value))
PROXY_SSL: Final = Kind(_parse_proxy_ssl, _write_proxy_ssl)
PINS: Final = Kind(_parse_pin, lambda pins: pins)
