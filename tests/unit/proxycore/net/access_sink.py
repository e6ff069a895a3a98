"""An access log that remembers, and reads every line back as the contract declares it."""

import json

from proxycore.contract.access import AccessRecord
from proxycore.contract.codec import decode
from tests.unit.proxycore.net.house import House


class Records:
    """Where a house's lines go."""

    def __init__(self) -> None:
        self.wanted = True
        self.lines: list[str] = []

    def write(self, line: str) -> None:
        self.lines.append(line)

    def all(self) -> list[AccessRecord]:
        return [read(line) for line in self.lines]

    def one(self) -> AccessRecord:
        (line,) = self.lines
        return read(line)


def read(line: str) -> AccessRecord:
    """Decode a line; it is printable ASCII with one line feed, and its keys are in order."""
    assert line.endswith("\n")
    assert line[:-1].isascii()
    assert line[:-1].isprintable()
    plain = json.loads(line)
    assert list(plain) == list(AccessRecord.__dataclass_fields__)
    return decode(AccessRecord, plain)


def records_of(house: House) -> Records:
    """Have all lines of a house from now on; to be called before ``serve``."""
    records = Records()
    house.engine._access_of = lambda _: records
    return records
