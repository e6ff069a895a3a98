"""The PROXY protocol, versions 1 and 2: read from clients' load balancers, written to mail servers.

Source: HAProxy's proxy-protocol.txt. What is accepted of version 1 is nginx's; of version 2 the
lengths within the header are checked as well, and a checksum when there is one. Reading is total:
any octets are a header, the beginning of one, or ``BadHeader``.
"""

import ipaddress
import re
from functools import lru_cache
from typing import Final

from proxycore.contract.authhttp import ProxyFacts

MAX_V1_BYTES: Final = 107
"""proxy-protocol.txt §2.1: the longest line there is, CRLF included."""

MAX_V2_BYTES: Final = 4096
"""nginx's limit; addresses and sensible TLVs are a few hundred."""

_V1: Final = b"PROXY "
_V1_ADDRESSES: Final = re.compile(
    rb"PROXY (?:TCP4|TCP6) ([0-9A-Fa-f.:]*) ([0-9A-Fa-f.:]*) (\d{1,9}) (\d{1,9})"
)
_V2: Final = b"\r\n\r\n\0\r\nQUIT\n"
_V2_FIXED_BYTES: Final = 16
_PROXY: Final = 1
_STREAM: Final = 1
_SIZES: Final = {1: 4, 2: 16}
"""Octets of an address, by family: IPv4 and IPv6."""

_CRC32C_TYPE: Final = 3
_CRC32C_BYTES: Final = 7
_NO_CRC: Final = bytes((_CRC32C_TYPE, 0, 4, 0, 0, 0, 0))

_LOCAL: Final = _V2 + b"\x20\x00"
_TCP4: Final = _V2 + b"\x21\x11"
_TCP6: Final = _V2 + b"\x21\x21"


class BadHeader(Exception):
    """The connection does not begin with a PROXY header."""


class Header:
    """A complete header."""

    __slots__ = ("end", "facts", "tlvs")

    def __init__(
        self, end: int, facts: ProxyFacts | None, tlvs: tuple[tuple[int, bytes], ...] = ()
    ) -> None:
        self.end = end
        """Where the connection's own octets begin."""
        self.facts = facts
        """Who is connected to whom, as told; None when the header tells of nobody."""
        self.tlvs = tlvs
        """Version 2: types and values that follow the addresses."""


# --- reading ------------------------------------------------------------------------------------


def read_header(buffer: bytes) -> Header | None:
    """Read a header off the front; None while it is incomplete. Raises BadHeader."""
    if buffer.startswith(_V1):
        return _read_v1(buffer)
    if buffer.startswith(_V2):
        return _read_v2(buffer)
    if _V1.startswith(buffer) or _V2.startswith(buffer):
        return None
    raise BadHeader


def _read_v1(buffer: bytes) -> Header | None:
    end = buffer.find(b"\r\n", 0, MAX_V1_BYTES)
    if end < 0:
        if len(buffer) >= MAX_V1_BYTES or b"\n" in buffer:
            raise BadHeader
        return None
    line = buffer[:end]
    if line.startswith(b"PROXY UNKNOWN"):
        return Header(end + 2, None)
    found = _V1_ADDRESSES.fullmatch(line)
    if found is None or int(found[3]) > 65_535 or int(found[4]) > 65_535:
        raise BadHeader
    facts = ProxyFacts(
        client_ip=found[1].decode(),
        client_port=int(found[3]),
        server_ip=found[2].decode(),
        server_port=int(found[4]),
    )
    return Header(end + 2, facts)


def _read_v2(buffer: bytes) -> Header | None:
    if len(buffer) < _V2_FIXED_BYTES:
        return None
    version, command = buffer[12] >> 4, buffer[12] & 0x0F
    family, transport = buffer[13] >> 4, buffer[13] & 0x0F
    end = _V2_FIXED_BYTES + int.from_bytes(buffer[14:16], "big")
    if version != 2 or end > MAX_V2_BYTES:
        raise BadHeader
    if len(buffer) < end:
        return None
    size = _SIZES.get(family)
    if command != _PROXY or transport != _STREAM or size is None:
        return Header(end, None)
    body = buffer[_V2_FIXED_BYTES:end]
    addresses_end = 2 * size + 4
    if len(body) < addresses_end:
        raise BadHeader
    tlvs = _read_tlvs(body[addresses_end:])
    _check_sum(buffer[:end], tlvs)
    facts = ProxyFacts(
        client_ip=_text(body[:size]),
        client_port=int.from_bytes(body[2 * size : 2 * size + 2], "big"),
        server_ip=_text(body[size : 2 * size]),
        server_port=int.from_bytes(body[2 * size + 2 : addresses_end], "big"),
    )
    return Header(end, facts, tlvs)


def _text(packed: bytes) -> str:
    address = ipaddress.ip_address(packed)
    mapped = getattr(address, "ipv4_mapped", None)
    return f"::ffff:{mapped}" if mapped is not None else str(address)


def _read_tlvs(octets: bytes) -> tuple[tuple[int, bytes], ...]:
    tlvs = []
    at = 0
    while at < len(octets):
        value_at = at + 3
        end = value_at + int.from_bytes(octets[at + 1 : value_at], "big")
        if value_at > len(octets) or end > len(octets):
            raise BadHeader
        tlvs.append((octets[at], octets[value_at:end]))
        at = end
    return tuple(tlvs)


def _check_sum(header: bytes, tlvs: tuple[tuple[int, bytes], ...]) -> None:
    """Check a checksum, if the header has one (proxy-protocol.txt §2.2.3)."""
    sums = [value for kind, value in tlvs if kind == _CRC32C_TYPE]
    if not sums:
        return
    if len(sums) > 1 or len(sums[0]) != 4:
        raise BadHeader
    after = 0
    for kind, value in reversed(tlvs):
        if kind == _CRC32C_TYPE:
            break
        after += 3 + len(value)
    at = len(header) - after - 4
    if crc32c(header[:at] + bytes(4) + header[at + 4 :]).to_bytes(4, "big") != sums[0]:
        raise BadHeader


# --- writing ------------------------------------------------------------------------------------


def render_v1(client: tuple[str, int], local: tuple[str, int]) -> bytes:
    """Render the line for a client (address without port and port) and our side of its connection.

    A client that is not on IP, ``unix:``, is UNKNOWN. Mixed families are written as IPv6: the
    line has no other form for them (nginx mixes them, which no receiver has to take).
    """
    if _is_unix(client) or _is_unix(local):
        return b"PROXY UNKNOWN\r\n"
    source, target = client[0], local[0]
    is_6 = ":" in source or ":" in target
    if is_6:
        source, target = _as_ipv6(source), _as_ipv6(target)
    family = "TCP6" if is_6 else "TCP4"
    return f"PROXY {family} {source} {target} {client[1]} {local[1]}\r\n".encode()


def render_v2(
    client: tuple[str, int], local: tuple[str, int], tlvs: tuple[tuple[int, bytes], ...] = ()
) -> bytes:
    """Render the binary header; the last TLV is its checksum. A unix client is LOCAL."""
    if _is_unix(client) or _is_unix(local):
        return _with_sum(_LOCAL, b"", tlvs)
    source, target = ipaddress.ip_address(client[0]), ipaddress.ip_address(local[0])
    plain = [_plain_ipv4(address) for address in (source, target)]
    ports = client[1].to_bytes(2, "big") + local[1].to_bytes(2, "big")
    if plain[0] is not None and plain[1] is not None:
        return _with_sum(_TCP4, plain[0].packed + plain[1].packed + ports, tlvs)
    both = [ipaddress.IPv6Address(_as_ipv6(str(address))) for address in (source, target)]
    return _with_sum(_TCP6, both[0].packed + both[1].packed + ports, tlvs)


def _is_unix(address: tuple[str, int]) -> bool:
    return address[0].startswith("unix:")


def _as_ipv6(text: str) -> str:
    return text if ":" in text else f"::ffff:{text}"


def _plain_ipv4(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> ipaddress.IPv4Address | None:
    if isinstance(address, ipaddress.IPv4Address):
        return address
    return address.ipv4_mapped


def _with_sum(start: bytes, addresses: bytes, tlvs: tuple[tuple[int, bytes], ...]) -> bytes:
    more = b"".join(bytes((kind,)) + len(value).to_bytes(2, "big") + value for kind, value in tlvs)
    length = len(addresses) + len(more) + _CRC32C_BYTES
    header = b"".join((start, length.to_bytes(2, "big"), addresses, more, _NO_CRC))
    return header[:-4] + crc32c(header).to_bytes(4, "big")


@lru_cache(maxsize=1)
def _crc_table() -> tuple[int, ...]:
    table = []
    for octet in range(256):
        crc = octet
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
        table.append(crc)
    return tuple(table)


def crc32c(octets: bytes) -> int:
    """Give the CRC-32C (Castagnoli, RFC 3720 appendix B.4)."""
    table, crc = _crc_table(), 0xFFFFFFFF
    for octet in octets:
        crc = table[(crc ^ octet) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF
