"""Read from a ClientHello what decides before OpenSSL begins: the server name.

Total over any octets. What is no ClientHello gives an empty ``Hello``: OpenSSL is then given the
octets and says what is wrong with them. Source: RFC 8446 §4.1.2 and §5.1, RFC 6066 §3.
"""

from typing import Final, NamedTuple

from proxycore.contract.server_names import LONGEST_NAME

LONGEST_HELLO_BYTES: Final = 16_384
"""Most octets collected while a ClientHello is incomplete; real ones have 200 to 4,000."""

_CLIENT_HELLO = 1
_SERVER_NAME = 0
_RECORD_HEAD = 5
_MESSAGE_HEAD = 4


class Hello(NamedTuple):
    """What a client said it wants."""

    server_name: str = ""
    """Lower case; empty when none, or none that is a name, was sent."""


_NOTHING = Hello()


class HelloReader:
    """Reads the beginning of one connection as it grows, each record of it once.

    To begin anew with every segment would let a client that sends octet by octet, a record for
    each, have 20 seconds of CPU time for 16 kB.
    """

    __slots__ = ("_at", "_message")

    def __init__(self) -> None:
        self._at = 0
        """Where the first record begins that is not complete."""
        self._message = b""
        """What the records before it hold."""

    def read(self, octets: bytes) -> Hello | None:
        """Read ``octets``, which begin with those of the last time; None: more are needed."""
        while True:
            head = octets[self._at : self._at + _RECORD_HEAD]
            if not b"\x16\x03".startswith(head[:2]):
                return _NOTHING
            if len(head) < _RECORD_HEAD:
                return None
            size = head[3] << 8 | head[4]
            if not 0 < size <= LONGEST_HELLO_BYTES:
                return _NOTHING
            end = self._at + _RECORD_HEAD + size
            message = self._message + octets[self._at + _RECORD_HEAD : end]
            if message[0:1] and message[0] != _CLIENT_HELLO:
                return _NOTHING
            if len(message) >= _MESSAGE_HEAD:
                wanted = _MESSAGE_HEAD + (message[1] << 16 | message[2] << 8 | message[3])
                if wanted > LONGEST_HELLO_BYTES:
                    return _NOTHING
                if len(message) >= wanted:
                    return _read_message(message[_MESSAGE_HEAD:wanted])
            if len(octets) < end:
                return None
            self._at, self._message = end, message


def _read_message(body: bytes) -> Hello:
    """Go over what stands before the extensions, then over these."""
    at = 2 + 32
    for width in (1, 2, 1):  # session id, cipher suites, compression methods
        at = _after(body, at, width)
    end = min(_after(body, at, 2), len(body))
    at += 2
    while at + 4 <= end:
        kind, size = body[at] << 8 | body[at + 1], body[at + 2] << 8 | body[at + 3]
        if kind == _SERVER_NAME:
            return Hello(_read_name(body[at + 4 : at + 4 + size]))
        at += 4 + size
    return _NOTHING


def _after(body: bytes, at: int, width: int) -> int:
    """Give where a vector ends that has its length in ``width`` octets at ``at``."""
    return at + width + int.from_bytes(body[at : at + width])


def _read_name(extension: bytes) -> str:
    """Read the only kind of name there is, host_name (0), off a list that has one."""
    if len(extension) < 5 or extension[2] != 0:
        return ""
    size = int.from_bytes(extension[3:5])
    name = extension[5 : 5 + size]
    if len(name) != size or not 0 < size <= LONGEST_NAME:
        return ""
    text = name.decode("ascii", "replace")
    return text.lower() if text.isascii() and text.isprintable() and " " not in text else ""
