"""Read a CSV file piece by piece, and say of each bad line where and why.

A file is cut once into pieces that end with a line of the table, while lines about the same are
found; each piece is then read for itself, to be checked and to be written. So memory does not grow
with the file, apart from eight octets for each line while it is cut.
"""

import csv
import io
from array import array
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import islice
from typing import Any, BinaryIO, Final

from appliance.routing.transfer import cells
from appliance.routing.transfer.tables import BadCell, Line, Names, Table

PIECE_LINES: Final = 1_000
"""Written in one transaction: a few tens of milliseconds in which nobody else writes to SQLite."""
SHOWN: Final = 200
"""So many bad lines are shown on a page; all are counted, and given as a file."""
MAX_LINE_CHARS: Final = 256 * 1024
"""Twice what Python's csv takes for a cell."""

_SAME: Final = "An earlier line is about the same."


class NotATable(ValueError):
    """The file as a whole cannot be read; words for the operator."""


@dataclass(frozen=True, slots=True)
class Bad:
    """A line that is left out."""

    number: int
    field: str
    reason: str

    @property
    def row(self) -> list[Any]:
        """Give it as it is kept."""
        return [self.number, self.field, self.reason]

    def __str__(self) -> str:
        return f"line {self.number}: {self.field + ': ' if self.field else ''}{self.reason}"


@dataclass(frozen=True, slots=True)
class Piece:
    """Some lines of a file as they stand there. ``text`` may hold hashes."""

    first_line: int
    lines: int
    text: str = field(repr=False)
    bad: list[Bad]
    """Those about the same as an earlier one."""


@dataclass(slots=True)
class Batch:
    """Some lines, ready to be written."""

    new: list[Any] = field(default_factory=list)
    changed: list[Any] = field(default_factory=list)
    unchanged: int = 0
    bad: list[Bad] = field(default_factory=list)


# --- cutting --------------------------------------------------------------------------------------


def cut(table: Table, file: BinaryIO) -> tuple[list[str], Iterator[Piece]]:
    """Give the columns of a file, and its lines in pieces. Raises NotATable, also later."""
    source = _Source(file)
    reader = csv.reader(source, strict=True)
    columns = _header(table, reader)
    source.take()
    return columns, _pieces(table, columns, source, reader)


class _Source:
    """The lines of a file, kept until somebody takes them."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
        self._kept: list[str] = []

    def __iter__(self) -> "_Source":
        return self

    def __next__(self) -> str:
        try:
            line = self._file.readline(MAX_LINE_CHARS)
        except UnicodeDecodeError:
            raise NotATable("It is not UTF-8. Save it as “CSV UTF-8”.") from None
        if len(line) == MAX_LINE_CHARS:
            raise NotATable(f"It has a line with more than {MAX_LINE_CHARS} characters.")
        if not line:
            raise StopIteration
        self._kept.append(line)
        return line

    def take(self) -> str:
        """Give what was read since the last time."""
        text = "".join(self._kept)
        self._kept.clear()
        return text

    def leave(self) -> None:
        """Let the file outlive this."""
        self._file.detach()


def _pieces(table: Table, columns: list[str], source: _Source, reader: Any) -> Iterator[Piece]:
    seen = _Seen()
    lines = _lines(reader, columns)
    while True:
        first = reader.line_num + 1
        bad: list[Bad] = []
        count = 0
        for number, line in islice(lines, PIECE_LINES):
            count += 1
            if not isinstance(line, str) and seen.add(table.key_of_line(line)):
                bad.append(Bad(number, table.needed[0], _SAME))
        if not count:
            source.leave()
            return
        yield Piece(first, count, source.take(), bad)


class _Seen:
    """What there was, as hashes of eight octets: a million take 20 MB."""

    def __init__(self) -> None:
        self._buckets: dict[int, array[int]] = {}

    def add(self, key: Iterable[str]) -> bool:
        """Remember a key; tell whether it was there before."""
        digest = blake2b("\0".join(key).encode("utf-8", "surrogatepass"), digest_size=8).digest()
        number = int.from_bytes(digest)
        bucket = self._buckets.setdefault(number >> 48, array("Q"))
        if number in bucket:
            return True
        bucket.append(number)
        return False


def _header(table: Table, reader: Any) -> list[str]:
    try:
        header = [cell.strip().lower() for cell in next(reader, [])]
    except csv.Error as fault:
        raise NotATable(f"This is no CSV: {fault}.") from None
    strangers = [one for one in header if one not in table.columns]
    missing = [one for one in table.needed if one not in header]
    if strangers:
        raise NotATable(f"Unknown column “{strangers[0][:50]}”. Known: {', '.join(table.columns)}.")
    if missing or len(set(header)) != len(header):
        raise NotATable(
            f"The first line names each column once; needed: {', '.join(table.needed)}."
        )
    return header


def _lines(reader: Any, header: list[str]) -> Iterator[tuple[int, Line | str]]:
    """Give each line with the number it begins at, or what is wrong with it."""
    while True:
        number = reader.line_num + 1
        try:
            row = next(reader, None)
        except csv.Error as fault:
            yield number, f"This is no CSV: {fault}."
            continue
        if row is None:
            return
        if not row:
            continue
        if len(row) != len(header):
            yield number, f"It has {len(row)} cells instead of {len(header)}."
            continue
        yield number, dict(zip(header, map(cells.unescape, row), strict=True))


# --- reading --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Read:
    """The lines of a piece, read and not yet compared with what is stored."""

    table: Table
    names: Names
    good: list[tuple[Line, Any]]
    bad: list[Bad]

    def compare(self) -> Batch:
        """Say what of it is new or changes something, in one query."""
        table, batch = self.table, Batch(bad=self.bad)
        stored = {table.key(one): one for one in table.find([one for _, one in self.good])}
        for line, one in self.good:
            old = stored.get(table.key(one))
            if old is None:
                batch.new.append(one)
                continue
            before = _values(table, old)
            table.fill(old, line, self.names)
            if _values(table, old) == before:
                batch.unchanged += 1
            else:
                batch.changed.append(old)
        return batch


def read(
    table: Table, columns: list[str], piece: Piece, known_bad: Collection[Bad] | None = None
) -> Read:
    """Read a piece, without the lines that are known to be bad."""
    names = Names.read()
    bad = list(piece.bad if known_bad is None else known_bad)
    left_out = {one.number for one in bad}
    good: list[tuple[Line, Any]] = []
    reader = csv.reader(io.StringIO(piece.text, newline=""), strict=True)
    for offset, line in _lines(reader, columns):
        number = piece.first_line - 1 + offset
        if number in left_out:
            continue
        if isinstance(line, str):
            bad.append(Bad(number, "", line))
            continue
        one = table.make()
        try:
            table.fill(one, line, names)
        except BadCell as fault:
            bad.append(Bad(number, fault.field, fault.reason))
            continue
        good.append((line, one))
    return Read(table, names, good, sorted(bad, key=lambda one: one.number))


def _values(table: Table, one: Any) -> list[Any]:
    return [getattr(one, name, None) for name in (*table.written, *table.beside)]
