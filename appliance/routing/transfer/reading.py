"""Read a CSV file line by line, and say of each bad one where and why."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from appliance.routing.transfer import cells
from appliance.routing.transfer.tables import BadCell, Names, Table

BATCH: Final = 500
SHOWN: Final = 200
"""Of so many bad lines the reason is kept; all are counted."""


class NotATable(ValueError):
    """The file as a whole cannot be read; words for the operator."""


@dataclass(frozen=True, slots=True)
class Bad:
    """A line that is left out."""

    number: int
    field: str
    reason: str


@dataclass(slots=True)
class Batch:
    """Some lines, ready to be written."""

    new: list[Any] = field(default_factory=list)
    changed: list[Any] = field(default_factory=list)
    unchanged: int = 0
    bad: list[Bad] = field(default_factory=list)
    last: int = 0
    """Number of data lines up to and with this batch."""


@dataclass(slots=True)
class Report:
    """What a file would do."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    bad_count: int = 0
    bad: list[Bad] = field(default_factory=list)

    @property
    def total(self) -> int:
        """Count the lines."""
        return self.new + self.changed + self.unchanged + self.bad_count

    def add(self, batch: Batch) -> None:
        """Count a batch."""
        self.new += len(batch.new)
        self.changed += len(batch.changed)
        self.unchanged += batch.unchanged
        self.bad_count += len(batch.bad)
        self.bad += batch.bad[: SHOWN - len(self.bad)]


def check(table: Table, text: str) -> Report:
    """Say what a file would do, and write nothing. Raises NotATable."""
    report = Report()
    for batch in batches(table, text):
        report.add(batch)
    return report


def batches(table: Table, text: str, *, skip: int = 0) -> Iterator[Batch]:
    """Give the lines in batches, without those already ``skip``-ped. Raises NotATable."""
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    lines = _lines(reader, _header(table, reader))
    names, seen = Names.read(), set[tuple[Any, ...]]()
    done = 0
    while some := list(islice(lines, BATCH)):
        done += len(some)
        batch = _batch(table, some, names, seen)
        batch.last = done
        if done > skip:
            yield batch


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


def _lines(reader: Any, header: list[str]) -> Iterator[tuple[int, dict[str, str] | str]]:
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


def _batch(
    table: Table,
    some: list[tuple[int, dict[str, str] | str]],
    names: Names,
    seen: set[tuple[Any, ...]],
) -> Batch:
    batch = Batch()
    good: list[tuple[int, dict[str, str], Any]] = []
    for number, line in some:
        if isinstance(line, str):
            batch.bad.append(Bad(number, "", line))
            continue
        one = table.make()
        try:
            table.fill(one, line, names)
        except BadCell as fault:
            batch.bad.append(Bad(number, fault.field, fault.reason))
            continue
        if table.key(one) in seen:
            batch.bad.append(Bad(number, table.needed[0], "An earlier line is about the same."))
            continue
        seen.add(table.key(one))
        good.append((number, line, one))
    stored = {table.key(one): one for one in table.find([one for _, _, one in good])}
    for _, line, one in good:
        old = stored.get(table.key(one))
        if old is None:
            batch.new.append(one)
            continue
        before = _values(table, old)
        table.fill(old, line, names)
        if _values(table, old) == before:
            batch.unchanged += 1
        else:
            batch.changed.append(old)
    return batch


def _values(table: Table, one: Any) -> list[Any]:
    return [getattr(one, name) for name in table.written]
