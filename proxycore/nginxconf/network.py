"""The kinds of value that say who is who on the network: name servers, trusted proxies."""

import ipaddress
import re
from collections.abc import Iterable
from typing import Final

from proxycore.contract.snapshot import Resolver
from proxycore.nginxconf.problems import Refused, Report
from proxycore.nginxconf.source import Statement
from proxycore.nginxconf.values import Kind, parse_time_ms, whole_number, write_time_ms

_HOST: Final = re.compile(r"[0-9A-Za-z._-]+")
_NETWORK: Final = re.compile(r"[0-9A-Fa-f.:]+(?:/\d{1,3})?")


# --- resolver -----------------------------------------------------------------------------------


def _parse_resolver(statement: Statement, _: Report) -> Resolver:
    if statement.args == ("off",):
        return Resolver()
    addresses: list[str] = []
    valid_ms, families = 0, {"ipv4": True, "ipv6": True}
    for text in statement.args:
        name, equals, value = text.partition("=")
        if equals and name == "valid":
            valid_ms = _time(text, value)
        elif equals and name in families and value in ("on", "off"):
            families[name] = value == "on"
        elif equals:
            raise Refused(f"invalid parameter: {text}")
        else:
            addresses.append(_name_server(text))
    if not addresses:
        raise Refused("no name servers defined")
    if not any(families.values()):
        raise Refused('"ipv4" and "ipv6" cannot both be "off"')
    return Resolver(addresses=tuple(addresses), valid_ms=valid_ms, **families)


def _time(parameter: str, value: str) -> int:
    time_ms = parse_time_ms(value)
    if time_ms is None:
        raise Refused(f"invalid parameter: {parameter}")
    return time_ms


def _name_server(text: str) -> str:
    host, port = text, ""
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or not _is_ip(host) or (rest and not rest.startswith(":")):
            raise Refused(f'invalid IPv6 address in resolver "{text}"')
        port = rest
    elif text.count(":") == 1:
        host, colon, number = text.partition(":")
        port = colon + number
    if port and not 1 <= (whole_number(port[1:]) or 0) <= 65_535:
        raise Refused(f'invalid port in resolver "{text}"')
    if not host:
        raise Refused(f'no host in resolver "{text}"')
    if not _is_ip(host) and _HOST.fullmatch(host) is None:
        raise Refused(f'host not found in resolver "{text}"')
    return text


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text


def _write_resolver(resolver: Resolver) -> Iterable[str]:
    if not resolver.addresses:
        return ("off",)
    words = list(resolver.addresses)
    if resolver.valid_ms:
        words.append(f"valid={write_time_ms(resolver.valid_ms)}")
    words += [f"{name}=off" for name in ("ipv4", "ipv6") if not getattr(resolver, name)]
    return words


# --- set_real_ip_from ---------------------------------------------------------------------------


def _parse_real_ip(statement: Statement, report: Report) -> tuple[str, ...]:
    text = statement.args[0]
    found = _network(text, statement, report)
    if found:
        return (found,)
    if _HOST.fullmatch(text) is None or not any(char.isalpha() for char in text):
        raise Refused(f'host not found in set_real_ip_from "{text}"')
    return (text,)


def _network(text: str, statement: Statement, report: Report) -> str:
    """Give an address or network as it is meant; empty when it is none."""
    if text == "unix:":
        return text
    if not _NETWORK.fullmatch(text):
        return ""
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return ""
    address, slash, _ = text.partition("/")
    if not slash:
        return text
    if ipaddress.ip_address(address) != network.network_address:
        report.warn(f"low address bits of {text} are meaningless", statement.place)
    return str(network)


def _parse_exempt(statement: Statement, report: Report) -> tuple[str, ...]:
    found = [_network(text, statement, report) for text in statement.args]
    if "" in found:
        text = statement.args[found.index("")]
        raise Refused(f'invalid network "{text}" in "{statement.name}" directive')
    return tuple(found)


# --- proxy_protocol -----------------------------------------------------------------------------


def _parse_proxy_protocol(statement: Statement, _: Report) -> str:
    text = statement.args[0].lower()
    if text not in ("off", "on", "v2"):
        raise Refused(f'invalid value "{statement.args[0]}"')
    return text


RESOLVER: Final = Kind(_parse_resolver, _write_resolver)
EXEMPT: Final = Kind(_parse_exempt, lambda sources: sources)
REAL_IP: Final = Kind(_parse_real_ip, lambda sources: sources)
PROXY_PROTOCOL: Final = Kind(_parse_proxy_protocol, lambda value: (value,))
