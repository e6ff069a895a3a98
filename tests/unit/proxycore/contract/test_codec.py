"""Contract values to JSON data and back, and nothing but ``Invalid`` for what is not one."""

import contextlib
import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxycore.contract.codec import Invalid, decode, encode
from proxycore.contract.fields import setting
from proxycore.contract.secret import Secret
from proxycore.contract.session import SessionRecord
from proxycore.contract.snapshot import AuthHttpHeader, Listen, Server, Snapshot, from_plain
from tests.unit.proxycore.snapshots import snapshots


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    number: int = setting("A number.", default=0, minimum=1, maximum=9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outer:
    text: str = setting("A text.", pattern=r"[a-z]+", max_length=3)
    colour: Colour = Colour.RED
    words: tuple[str, ...] = setting("Words.", default=(), choices=("a", "b"))
    pair: tuple[int, str] = (0, "")
    maybe: int | None = None
    inners: tuple[Inner, ...] = ()
    by_name: dict[str, int] | None = None
    share: float = 0.0
    on: bool = False
    anything: Any = None


def problems_of(cls: type, plain: Any) -> list[str]:
    with pytest.raises(Invalid) as refused:
        decode(cls, plain)
    assert str(refused.value) == "; ".join(map(str, refused.value.problems))
    return [str(problem) for problem in refused.value.problems]


@given(snapshots())
def test_what_is_encoded_decodes_to_the_same(snapshot: Snapshot) -> None:
    plain = json.loads(json.dumps(encode(snapshot, reveal=True)))
    assert decode(Snapshot, plain) == snapshot
    assert from_plain(plain) == snapshot


def test_every_kind_of_field_survives_the_way_through_json() -> None:
    value = Outer(
        text="abc",
        colour=Colour.BLUE,
        words=("a",),
        pair=(3, "x"),
        maybe=4,
        inners=(Inner(number=2),),
        by_name={"x": 1},
        share=0.5,
        on=True,
        anything={"deep": [1, None]},
    )
    assert decode(Outer, json.loads(json.dumps(encode(value)))) == value


def test_what_is_left_out_takes_its_default() -> None:
    assert decode(Outer, {"text": "a"}) == Outer(text="a")


@pytest.mark.parametrize(
    ("plain", "problem"),
    [
        ({}, "text: is required"),
        ({"text": "a", "no": 1}, "no: is not a known setting"),
        ({"text": 1}, "text: must be text"),
        ({"text": None}, "text: must be text"),
        ({"text": "A"}, "text: has a form that is not allowed"),
        ({"text": "a\n"}, "text: has a form that is not allowed"),
        ({"text": "abcd"}, "text: must not be longer than 3"),
        ({"text": "\ud800"}, "text: must be text"),
        ({"text": "a", "colour": "green"}, "colour: must be one of: red, blue"),
        ({"text": "a", "colour": []}, "colour: must be one of: red, blue"),
        ({"text": "a", "words": "a"}, "words: must be a list"),
        ({"text": "a", "words": ["a", "c"]}, "words[1]: must be one of: a, b"),
        ({"text": "a", "words": ["a", 1]}, "words[1]: must be text"),
        ({"text": "a", "pair": [1]}, "pair: must have 2 items"),
        ({"text": "a", "pair": [1, 2]}, "pair[1]: must be text"),
        ({"text": "a", "maybe": "x"}, "maybe: must be a whole number"),
        ({"text": "a", "maybe": True}, "maybe: must be a whole number"),
        ({"text": "a", "maybe": 1.0}, "maybe: must be a whole number"),
        ({"text": "a", "maybe": 2**63}, "maybe: must fit in 64 bits"),
        ({"text": "a", "inners": [{"number": 0}]}, "inners[0].number: must be at least 1"),
        ({"text": "a", "inners": [{"number": 10}]}, "inners[0].number: must be at most 9"),
        ({"text": "a", "inners": [1]}, "inners[0]: must be an object"),
        ({"text": "a", "by_name": {"x": "y"}}, "by_name.x: must be a whole number"),
        ({"text": "a", "by_name": [1]}, "by_name: must be an object"),
        ({"text": "a", "share": "x"}, "share: must be a number"),
        ({"text": "a", "share": 10**400}, "share: must fit in 64 bits"),
        ({"text": "a", "share": float("nan")}, "share: must be a number"),
        ({"text": "a", "share": float("inf")}, "share: must be a number"),
        ({"text": "a", "on": 1}, "on: must be true or false"),
    ],
)
def test_what_is_wrong_is_named_with_its_path(plain: Any, problem: str) -> None:
    assert problems_of(Outer, plain) == [problem]


@pytest.mark.parametrize("plain", [None, [], "x", 1, True])
def test_a_document_is_an_object(plain: Any) -> None:
    assert problems_of(Outer, plain) == ["must be an object"]


def test_all_problems_are_told_at_once() -> None:
    plain = {"text": 1, "pair": [], "inners": [{"number": 0}, {}, {"x": 1}]}
    assert problems_of(Outer, plain) == [
        "text: must be text",
        "pair: must have 2 items",
        "inners[0].number: must be at least 1",
        "inners[2].x: is not a known setting",
    ]


def test_null_is_a_value_only_where_none_is_one() -> None:
    assert decode(Outer, {"text": "a", "maybe": None}).maybe is None
    assert problems_of(Outer, {"text": "a", "on": None}) == ["on: must be true or false"]


def test_a_whole_number_does_for_a_fraction() -> None:
    assert decode(Outer, {"text": "a", "share": 2}).share == 2.0


def test_a_secret_is_masked_unless_revealed() -> None:
    header = AuthHttpHeader(name="K", value=Secret("hunter2"))
    assert encode(header) == {"name": "K", "value": Secret.MASK}
    assert encode(header, reveal=True) == {"name": "K", "value": "hunter2"}


def test_a_secret_s_problem_does_not_show_it() -> None:
    (problem,) = problems_of(AuthHttpHeader, {"name": "K", "value": "hunter2\r\n"})
    assert problem == "value: must be one line without control characters"


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(_JSON, st.sampled_from([Snapshot, Server, Listen, SessionRecord, Outer]))
def test_any_json_is_a_value_or_invalid(plain: Any, cls: type) -> None:
    with contextlib.suppress(Invalid):
        decode(cls, plain)


@given(snapshots(), _JSON, st.data())
def test_a_snapshot_with_one_value_replaced_is_a_snapshot_or_invalid(
    snapshot: Snapshot, value: Any, data: st.DataObject
) -> None:
    plain = encode(snapshot, reveal=True)
    spot: Any = plain
    while True:
        keys = list(spot) if isinstance(spot, dict) else list(range(len(spot)))
        if not keys:
            return
        key = data.draw(st.sampled_from(keys))
        if not isinstance(spot[key], dict | list) or not spot[key] or data.draw(st.booleans()):
            spot[key] = value
            break
        spot = spot[key]
    with contextlib.suppress(Invalid):
        from_plain(plain).digest()
