"""A name server of a few lines: answers by a function, over UDP, and counts what it was asked."""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

A: Final = 1
CNAME: Final = 5
PTR: Final = 12
AAAA: Final = 28
DNAME: Final = 39

SERVFAIL: Final = 2
NXDOMAIN: Final = 3

_IN: Final = 1
_ANSWER: Final = 0x8180
_TTL_S: Final = 3600


@dataclass(frozen=True)
class Question:
    """One question."""

    name: str
    type: int


@dataclass(frozen=True)
class Record:
    """One answer; ``name`` empty stands for the question's, by compression."""

    type: int
    data: bytes
    name: str = ""


@dataclass(frozen=True)
class Failure:
    """A response code instead of answers."""

    code: int


Answer = list[Record] | Failure | bytes | None
"""Records; a failure; octets behind the header, as they are; or silence."""


class StubDns:
    """Answers on UDP ``port`` by ``decide``."""

    def __init__(self, decide: Callable[[Question], Answer]) -> None:
        self.decide = decide
        self.asked: list[Question] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self._thread = threading.Thread(target=self._serve)
        self._closing = False

    @property
    def address(self) -> str:
        """Address and port, as the ``resolver`` directive takes them."""
        return f"127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._closing = True
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while not self._closing:
            with contextlib.suppress(OSError):
                packet, sender = self._socket.recvfrom(2048)
                if packet and (response := self._respond(packet)):
                    self._socket.sendto(response, sender)

    def _respond(self, packet: bytes) -> bytes | None:
        (identity,) = struct.unpack_from("!H", packet)
        question, end = _question(packet)
        self.asked.append(question)
        answer = self.decide(question)
        if answer is None:
            return None
        asked = packet[12:end]
        if isinstance(answer, bytes):
            return struct.pack("!6H", identity, _ANSWER, 1, 1, 0, 0) + asked + answer
        failure = answer.code if isinstance(answer, Failure) else 0
        records = [] if isinstance(answer, Failure) else answer
        head = struct.pack("!6H", identity, _ANSWER | failure, 1, len(records), 0, 0)
        return head + asked + b"".join(map(_record, records))


def name(text: str) -> bytes:
    """Give a domain name in wire form, without compression."""
    return labels(*(label.encode("latin-1") for label in text.split(".") if label))


def labels(*parts: bytes) -> bytes:
    """Give a domain name of these labels, whatever octets they hold."""
    return b"".join(bytes((len(part),)) + part for part in parts) + b"\0"


def address(text: str) -> bytes:
    """Give an IPv4 address in wire form."""
    return socket.inet_aton(text)


def reverse(text: str) -> str:
    """Give the name under which the PTR record of an IPv4 address is found."""
    return ".".join(reversed(text.split("."))) + ".in-addr.arpa"


def _record(record: Record) -> bytes:
    owner = name(record.name) if record.name else b"\xc0\x0c"
    return owner + struct.pack("!HHIH", record.type, _IN, _TTL_S, len(record.data)) + record.data


def _question(packet: bytes) -> tuple[Question, int]:
    parts, at = [], 12
    while length := packet[at]:
        parts.append(packet[at + 1 : at + 1 + length].decode("latin-1"))
        at += 1 + length
    (kind,) = struct.unpack_from("!H", packet, at + 1)
    return Question(".".join(parts).lower(), kind), at + 5
