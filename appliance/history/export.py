"""The history as a CSV file, for a spreadsheet."""

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Final

from appliance.audit import services as audit
from appliance.history import names, queries
from appliance.history.models import SessionRecord
from appliance.history.reading import shown_address
from appliance.history.shown import began_at
from appliance.lib.text import inert_cell

_PLAIN: Final = (
    *("account", "login", "back_login", "protocol", "server", "listen", "port", "method"),
    *("backend", "reason", "fault", "front_tls", "front_cipher", "back_tls", "back_cipher"),
    *("bytes_to_front", "bytes_to_back", "tls_ms", "credentials_ms", "auth_ms", "connect_ms"),
    *("login_ms", "relay_ms", "total_ms", "session", "auth_session"),
)
COLUMNS: Final = ("began_at", "ended_at", "kind", "address", "node", *_PLAIN)


def parts(search: queries.Search, asked: Iterable[tuple[str, str]] = ()) -> Iterator[str]:
    """Give the file in pieces; no cell is one that a spreadsheet would calculate.

    asked: the search as people wrote it, for the audit trail.
    """
    count = queries.find(search).order_by()[: queries.EXPORTED_AT_MOST].count()
    audit.exported("history", count, asked=asked)
    return _parts(search)


def _parts(search: queries.Search) -> Iterator[str]:
    yield _text([list(COLUMNS)])
    known = names.all_names()
    for rows in queries.every(search):
        yield _text([_cells(row, known) for row in rows])


def _cells(row: SessionRecord, known: dict[int, str]) -> list[str]:
    told = [
        began_at(row).isoformat(timespec="milliseconds"),
        row.ended_at.isoformat(timespec="milliseconds"),
        "failed login" if row.attempt else "session",
        shown_address(row.address),
        names.name_of(row.node, known),
    ]
    values = (getattr(row, name) for name in _PLAIN)
    told += ("" if value is None else str(value) for value in values)
    return [inert_cell(cell) for cell in told]


def _text(rows: list[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()
