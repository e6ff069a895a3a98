"""Problem documents in the CA's words, with advice and what helps."""

from datetime import UTC, datetime, timedelta

import pytest
from acme.messages import ERROR_CODES

from appliance.acme import problems
from appliance.acme.problems import Remedy

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
URN = problems.PREFIX


@pytest.mark.parametrize("code", [code for code in ERROR_CODES if code not in ("invalidEmail",)])
def test_every_type_of_rfc_8555_has_its_advice(code: str) -> None:
    problem = problems.from_document({"type": f"{URN}{code}", "detail": "why"})
    known = code in problems.ADVICE or code == "unknownHost"
    assert known
    assert (problem.kind, problem.words) == (code, "why")
    assert problem.advice


def test_several_names_are_told_each_with_its_own_words() -> None:
    subproblems = [
        {"type": f"{URN}caa", "detail": "forbidden", "identifier": {"value": "a.example"}},
        {"type": f"{URN}dns", "detail": "nothing", "identifier": {"value": "b.example"}},
    ]
    problem = problems.from_document(
        {"type": f"{URN}compound", "detail": "two", "subproblems": subproblems}
    )
    assert problem.words.splitlines() == ["two", "a.example: forbidden", "b.example: nothing"]
    assert problem.remedy == Remedy.OPERATOR
    assert "CAA" in problem.advice


def test_what_nobody_knows_is_kept_and_tried_again() -> None:
    problem = problems.from_document({"type": "urn:x:new", "title": "New trouble"})
    assert (problem.words, problem.remedy) == ("New trouble", Remedy.REORDER)
    assert problems.from_document({}, 502).remedy == Remedy.RETRY


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        ("0", 0),
        ("-5", 0),
        ("99999999", 7 * 86_400),
        ("Sun, 22 Nov 2026 12:01:00 GMT", 60),
        ("Sun, 22 Nov 2020 12:01:00 GMT", 0),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, seconds: int) -> None:
    assert problems.retry_after(value, NOW) == NOW + timedelta(seconds=seconds)


@pytest.mark.parametrize("value", [None, "", "soon"])
def test_a_retry_after_that_says_nothing_is_none(value: str | None) -> None:
    assert problems.retry_after(value, NOW) is None
