"""Log records as operators see them."""

import logging
import sys

import pytest

from appliance.lib.logs import Brief


def _record(name: str, level: int) -> logging.LogRecord:
    try:
        raise PermissionError("no")
    except PermissionError:
        return logging.LogRecord(name, level, __file__, 1, "Forbidden", (), sys.exc_info())


@pytest.mark.parametrize(
    ("name", "level", "shows"),
    [
        ("django.request", logging.WARNING, False),
        ("django.request", logging.ERROR, True),
        ("appliance.fleet", logging.WARNING, True),
    ],
)
def test_a_refused_request_has_no_traceback(name: str, level: int, shows: bool) -> None:
    record = _record(name, level)
    assert Brief().filter(record)
    assert ("Traceback" in logging.Formatter().format(record)) is shows
