"""Addresses an operator writes for sockets of a node."""

import ipaddress
import re
from typing import Final

from django.core.exceptions import ValidationError

from proxycore.contract.messages import HttpAddress

_FORM: Final = re.compile(r"(?:(?P<any>\*)|\[(?P<ip6>[^\]]+)\]|(?P<ip4>[0-9.]+)):(?P<port>\d{1,5})")
_WRONG: Final = "“{}” is no address and port: write *:80, 192.0.2.1:80 or [2001:db8::1]:80."


def parse(text: str) -> HttpAddress:
    """Read ``*:80``, ``192.0.2.1:80`` or ``[::]:80``. Raises ValidationError."""
    found = _FORM.fullmatch(text)
    if found is None or not 0 < int(found["port"]) < 65536:
        raise ValidationError(_WRONG.format(text))
    try:
        if found["ip6"]:
            address = ipaddress.IPv6Address(found["ip6"]).compressed
        else:
            address = "*" if found["any"] else str(ipaddress.IPv4Address(found["ip4"]))
    except ValueError:
        raise ValidationError(_WRONG.format(text)) from None
    return HttpAddress(address="*" if address == "0.0.0.0" else address, port=int(found["port"]))  # noqa: S104


def check_listen(words: list[str]) -> None:
    """Refuse what is no address, and one that is there twice. Raises ValidationError."""
    places = [parse(word) for word in words]
    if len(set(places)) < len(places):
        raise ValidationError("An address is there twice.")


def check_probe(text: str) -> None:
    """Refuse what is neither an IP address nor a host name. Raises ValidationError."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        if not re.fullmatch(r"(?!-)[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})*\.?", text):
            raise ValidationError(f"“{text}” is neither an IP address nor a host name.") from None
