"""The forms of ``listen`` addresses and ``auth_http`` URLs, refused in nginx's words.

Nothing is resolved here: a host name is passed on, and whoever opens the socket resolves it.
"""

import ipaddress
import re
from dataclasses import dataclass
from typing import Final

from proxycore.nginxconf.problems import Refused
from proxycore.nginxconf.values import whole_number

_MAX_UNIX_PATH: Final = 107  # octets of sun_path, less its NUL
_HOST_NAME: Final = re.compile(r"[0-9A-Za-z_]([0-9A-Za-z_.-]{0,253}[0-9A-Za-z_.])?")


@dataclass(frozen=True, slots=True)
class Address:
    """Where a ``listen`` listens. ``first_port`` is 0 when the text names none."""

    host: str
    first_port: int = 0
    last_port: int = 0


@dataclass(frozen=True, slots=True)
class Url:
    """Where an auth service is; ``host`` may be ``unix:/path``, then ``port`` is 0."""

    host: str
    port: int
    uri: str
    ssl: bool = False


def parse_listen(text: str) -> Address:
    """Read the address of a ``listen``. Raises Refused with nginx's reason."""
    if text[:5].lower() == "unix:":
        return Address("unix:" + _unix_path(text[5:]))
    if text.startswith("["):
        host, rest = _bracketed(text)
        if "/" in rest or (rest and rest[0] != ":"):
            raise Refused("invalid host")
        ports = _ports(rest[1:]) if rest else (0, 0)
        return Address(_ipv6(host), *ports)
    if "/" in text or "?" in text:
        raise Refused("invalid host")
    host, colon, port = text.partition(":")
    if not colon:
        if re.fullmatch(r"[0-9]+(-[0-9]+)?", text):
            return Address("*", *_ports(text))
        return Address(_listen_host(text))
    ports = _ports(port)
    return Address(_listen_host(host), *ports)


def parse_auth_http(url: str) -> Url:
    """Read the URL of an ``auth_http``. nginx knows no ``https://``; its prefixes are as here."""
    ssl = url.startswith("https://")
    text = url.removeprefix("https://" if ssl else "http://")
    usual = 443 if ssl else 80
    if text[:5].lower() == "unix:":
        path, _, uri = text[5:].partition(":")
        return Url("unix:" + _unix_path(path), 0, _uri(uri), ssl)
    if text.startswith("["):
        host, rest = _bracketed(text)
        rest, slash, tail = rest.partition("/")
        if rest and rest[0] != ":":
            raise Refused("invalid host")
        port = _port(rest[1:]) if rest else usual
        return Url(_ipv6(host), port, _uri(slash + tail), ssl)
    end = re.search("[/?]", text)
    authority, uri = (text[: end.start()], text[end.start() :]) if end else (text, "")
    host, colon, port_text = authority.partition(":")
    port = _port(port_text) if colon else usual
    return Url(_host(host), port, _uri(uri), ssl)


def parse_syslog_server(text: str) -> str:
    """Read ``host[:port]`` or ``unix:/path`` of a syslog server. Raises Refused."""
    if text[:5].lower() == "unix:":
        return "unix:" + _unix_path(text[5:])
    if "/" in text or "?" in text:
        raise Refused("invalid host")
    host, rest = _bracketed(text) if text.startswith("[") else ("", "")
    if host:
        if rest and rest[0] != ":":
            raise Refused("invalid host")
        shown, port = f"[{_ipv6(host)}]", rest[1:] if rest else None
    else:
        name, colon, number = text.partition(":")
        shown, port = name, number if colon else None
    # nginx looks at the port first
    suffix = "" if port is None else f":{_port(port)}"
    return (shown if host else _host(shown)) + suffix


def _uri(text: str) -> str:
    # nginx sends "GET ?query" for a URL without a path; that is no valid request
    return text if text.startswith("/") else "/" + text


def _unix_path(path: str) -> str:
    if not path:
        raise Refused("no path in the unix domain socket")
    if len(path.encode("utf-8", "surrogateescape")) > _MAX_UNIX_PATH:
        raise Refused("too long path in the unix domain socket")
    return path


def _bracketed(text: str) -> tuple[str, str]:
    host, bracket, rest = text[1:].partition("]")
    if not bracket:
        raise Refused("invalid host")
    return host, rest


def _ipv6(host: str) -> str:
    if not host:
        raise Refused("no host")
    if "%" in host:
        raise Refused("invalid IPv6 address")
    try:
        return ipaddress.IPv6Address(host).compressed
    except ValueError:
        raise Refused("invalid IPv6 address") from None


def _host(host: str) -> str:
    if not host:
        raise Refused("no host")
    if _HOST_NAME.fullmatch(host) is None:
        raise Refused("host not found")
    return host


def _listen_host(host: str) -> str:
    if host in ("*", "0.0.0.0"):  # noqa: S104  (read from the operator's file)
        return "*"
    return _host(host)


def _port(text: str) -> int:
    port = whole_number(text)
    if port is None or not 1 <= port <= 65535:
        raise Refused("invalid port")
    return port


def _ports(text: str) -> tuple[int, int]:
    first_text, dash, last_text = text.partition("-")
    last = _port(last_text) if dash else 0
    first = _port(first_text)
    if dash and first > last:
        raise Refused("invalid port range")
    return first, last or first
