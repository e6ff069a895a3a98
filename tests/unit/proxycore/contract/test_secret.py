"""A secret is used, compared and never shown."""

import copy
import json
import logging
import pickle
import pprint
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from proxycore.contract.secret import Secret
from proxycore.contract.snapshot import AuthHttpHeader

SECRET = "hunter2"

_SHOWS: list[Callable[[Secret], str]] = [
    str,
    repr,
    ascii,
    lambda secret: f"{secret}",
    lambda secret: f"{secret!r}",
    lambda secret: "%s %r" % (secret, secret),  # noqa: UP031  (a form under test)
    lambda secret: str([secret, {"k": secret}, (secret,)]),
    lambda secret: pprint.pformat({"k": [secret]}),
    lambda secret: repr(AuthHttpHeader(name="K", value=secret)),
    lambda secret: logging.Formatter().format(
        logging.makeLogRecord({"msg": "%s %r", "args": (secret, secret)})
    ),
]


@pytest.mark.parametrize("show", _SHOWS)
def test_no_way_of_showing_shows_it(show: Callable[[Secret], str]) -> None:
    shown = show(Secret(SECRET))
    assert SECRET not in shown
    assert Secret.MASK in shown


def test_a_traceback_with_locals_does_not_show_it() -> None:
    def fail() -> None:
        held = Secret(SECRET)
        raise RuntimeError(held)

    with pytest.raises(RuntimeError) as caught:
        fail()
    lines = traceback.TracebackException.from_exception(caught.value, capture_locals=True).format()
    text = "".join(line for line in lines if "Secret(SECRET)" not in line)
    assert "held = Secret(********)" in text
    assert SECRET not in text


_MOVES: list[Callable[[Secret], Any]] = [
    *(lambda secret, n=n: pickle.dumps(secret, n) for n in range(pickle.HIGHEST_PROTOCOL + 1)),
    copy.copy,
    copy.deepcopy,
    json.dumps,
]


@pytest.mark.parametrize("move", _MOVES)
def test_it_cannot_be_moved_by_accident(move: Callable[[Secret], Any]) -> None:
    with pytest.raises(TypeError) as refused:
        move(Secret(SECRET))
    assert SECRET not in str(refused.value)


def test_it_has_no_attributes_to_dump() -> None:
    assert not hasattr(Secret(SECRET), "__dict__")


def test_equal_secrets_are_equal_and_hash_alike() -> None:
    assert Secret("a") == Secret("a")
    assert hash(Secret("a")) == hash(Secret("a"))
    assert Secret("a") != Secret("b")
    assert Secret("\ud800") != Secret("a")
    assert Secret("a") != "a"


def test_an_empty_secret_is_false() -> None:
    assert not Secret("")
    assert Secret("x")


def test_reveal_gives_it() -> None:
    assert Secret(SECRET).reveal() == SECRET
