"""An access log that remembers, and reads every line back as the contract declares it."""

import json
from typing import Any

from proxycore.contract.access import AccessRecord, FailedLogin
from proxycore.contract.codec import decode
from tests.unit.proxycore.net.house import House


class Records:
    """Where a house's lines go."""

    def __init__(self) -> None:
        self.wanted = self.wants_refusals = True
        self.lines: list[str] = []
        self.refusals: list[str] = []

    def write(self, line: str) -> None:
        self.lines.append(line)

    def write_refusal(self, line: str) -> None:
        self.refusals.append(line)

    def all(self) -> list[AccessRecord]:
        return [read(line) for line in self.lines]

    def one(self) -> AccessRecord:
        (line,) = self.lines
        return read(line)


def read(line: str) -> AccessRecord:
    """Decode a line; it is printable ASCII with one line feed, and its keys are in order."""
    return _read(AccessRecord, line)


def read_refusal(line: str) -> FailedLogin:
    """Decode a line about a refused login, likewise."""
    return _read(FailedLogin, line)


def _read(cls: type[Any], line: str) -> Any:
    assert line.endswith("\n")
    assert line[:-1].isascii()
    assert line[:-1].isprintable()
    plain = json.loads(line)
    assert list(plain) == list(cls.__dataclass_fields__)
    return decode(cls, plain)


def records_of(house: House) -> Records:
    """Have all lines of a house from now on; to be called before ``serve``."""
    records = Records()
    house.engine._access_of = lambda _: records
    return records
