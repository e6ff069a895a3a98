"""``listen``: the address, and how its socket is made."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from proxycore.contract.fields import settings_of
from proxycore.contract.snapshot import Listen
from proxycore.nginxconf.addresses import Address, parse_listen
from proxycore.nginxconf.problems import Place, Refused, Report
from proxycore.nginxconf.source import Statement
from proxycore.nginxconf.values import Kind, parse_size, parse_time_ms, whole_number, write_size

MAX_BACKLOG: Final = 65_535

_PLAIN: Final = Listen()
_KEEPALIVE: Final = ("keepalive_idle_s", "keepalive_interval_s", "keepalive_count")


@dataclass(frozen=True, slots=True)
class ListenWish:
    """One ``listen`` as written; its port may still depend on the block's protocol."""

    address: Address
    options: Listen
    """Everything but address and port."""
    place: Place

    def socket(self, port: int) -> Listen:
        """Give the socket on one port."""
        return replace(self.options, address=self.address.host, port=port)


def _parse(statement: Statement, report: Report) -> tuple[ListenWish, ...]:
    text, *parameters = statement.args
    try:
        address = parse_listen(text)
    except Refused as refused:
        raise Refused(f'{refused} in "{text}" of the "listen" directive') from None
    options = _PLAIN
    for parameter in parameters:
        options = _with(options, parameter, statement, report)
    return (ListenWish(address, options, statement.place),)


def _with(options: Listen, parameter: str, statement: Statement, report: Report) -> Listen:
    """Add one parameter. All but ``ssl`` and ``proxy_protocol`` imply ``bind``, as in nginx."""
    if parameter == "proxy_protocol":
        return replace(options, proxy_protocol=True)
    if parameter == "ssl":
        return replace(options, ssl=True)
    bound = replace(options, bind=True)
    if parameter == "bind":
        return bound
    if parameter == "multipath":
        return replace(bound, multipath=True)
    name, equals, value = parameter.partition("=")
    if equals and name == "backlog":
        return replace(bound, backlog=_backlog(parameter, value, statement, report))
    if equals and name in ("rcvbuf", "sndbuf"):
        size = _buffer(name, parameter, value)
        return replace(bound, **{f"{name}_bytes": size})  # type: ignore[arg-type]
    if equals and name == "so_keepalive":
        return _with_keepalive(bound, value)
    return replace(bound, ipv6only=_ipv6only(parameter))


def _ipv6only(parameter: str) -> bool:
    value = parameter.removeprefix("ipv6only=")
    if value == parameter or not value.startswith("o"):
        raise Refused(f'invalid parameter "{parameter}"')
    if value not in ("on", "off"):
        raise Refused(f'invalid ipv6only flags "{value}"')
    return value == "on"


def _backlog(parameter: str, value: str, statement: Statement, report: Report) -> int:
    number = whole_number(value)
    if not number:
        raise Refused(f'invalid backlog "{parameter}"')
    if number > MAX_BACKLOG:
        report.warn(f'"{parameter}" is more than {MAX_BACKLOG}, which is used', statement.place)
    return min(number, MAX_BACKLOG)


def _buffer(name: str, parameter: str, value: str) -> int:
    size = parse_size(value)
    if size is None or size > (settings_of(Listen)[f"{name}_bytes"].maximum or 0):
        raise Refused(f'invalid {name} "{parameter}"')
    return size


def _with_keepalive(options: Listen, value: str) -> Listen:
    if value in ("on", "off"):
        return replace(options, so_keepalive=value)
    wrong = f'invalid so_keepalive value: "{value}"'
    parts = value.split(":")
    numbers: list[int] = []
    for name, part in zip(_KEEPALIVE, (*parts, "", "")[:3], strict=True):
        number = _count(part) if name == "keepalive_count" else _seconds(part)
        limit = settings_of(Listen)[name].maximum
        if number is None or (limit is not None and number > limit):
            raise Refused(wrong)
        numbers.append(number)
    if len(parts) > len(_KEEPALIVE) or not any(numbers):
        raise Refused(wrong)
    idle_s, interval_s, count = numbers
    return replace(
        options,
        so_keepalive="on",
        keepalive_idle_s=idle_s,
        keepalive_interval_s=interval_s,
        keepalive_count=count,
    )


def _seconds(text: str) -> int | None:
    if not text:
        return 0
    time_ms = parse_time_ms(text)
    return None if time_ms is None or "ms" in text else time_ms // 1000


def _count(text: str) -> int | None:
    return whole_number(text) if text else 0


def _write(listen: Listen) -> Iterable[str]:
    yield listen.address if listen.address.startswith("unix:") else listen.key
    if listen.ssl:
        yield "ssl"
    if listen.proxy_protocol:
        yield "proxy_protocol"
    options = list(_options(listen))
    if listen.bind and not options:
        yield "bind"
    yield from options


def _options(listen: Listen) -> Iterable[str]:
    if listen.backlog != _PLAIN.backlog:
        yield f"backlog={listen.backlog}"
    for name in ("rcvbuf", "sndbuf"):
        size = getattr(listen, f"{name}_bytes")
        if size:
            yield f"{name}={write_size(size)}"
    if not listen.ipv6only:
        yield "ipv6only=off"
    timing = [getattr(listen, name) for name in _KEEPALIVE]
    if listen.so_keepalive == "on" and any(timing):
        idle_s, interval_s, count = (number or "" for number in timing)
        yield f"so_keepalive={idle_s}:{interval_s}:{count}"
    elif listen.so_keepalive != "default":
        yield f"so_keepalive={listen.so_keepalive}"
    if listen.multipath:
        yield "multipath"


LISTEN: Final = Kind(_parse, _write)
