"""Settings from the environment, with every mistake named."""

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from appliance.lib import env


def test_numbers_have_a_default_and_a_range(monkeypatch: pytest.MonkeyPatch) -> None:
    assert env.integer("T_PORT", 8000) == 8000
    monkeypatch.setenv("POSTROAD_T_PORT", " 9000 ")
    assert env.integer("T_PORT", 8000) == 9000
    monkeypatch.setenv("POSTROAD_T_PORT", "70000")
    with pytest.raises(ImproperlyConfigured, match="POSTROAD_T_PORT must be from 0 to 65535"):
        env.integer("T_PORT", 8000, maximum=65535)


def test_a_number_that_is_none_names_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTROAD_T_PORT", "http")
    with pytest.raises(ImproperlyConfigured, match="POSTROAD_T_PORT must be a whole number"):
        env.integer("T_PORT", 8000)


@pytest.mark.parametrize(
    ("word", "meaning"), [("1", True), ("On", True), ("no", False), ("", False), ("0", False)]
)
def test_switches_take_the_usual_words(
    monkeypatch: pytest.MonkeyPatch, word: str, meaning: bool
) -> None:
    monkeypatch.setenv("POSTROAD_T_SWITCH", word)
    assert env.boolean("T_SWITCH", not meaning) is meaning


def test_a_switch_refuses_other_words(monkeypatch: pytest.MonkeyPatch) -> None:
    assert env.boolean("T_SWITCH", True) is True
    monkeypatch.setenv("POSTROAD_T_SWITCH", "maybe")
    with pytest.raises(ImproperlyConfigured, match="POSTROAD_T_SWITCH must be on or off"):
        env.boolean("T_SWITCH", False)


def test_lists_are_split_at_commas_and_blanks(monkeypatch: pytest.MonkeyPatch) -> None:
    assert env.words("T_HOSTS", ["localhost"]) == ["localhost"]
    monkeypatch.setenv("POSTROAD_T_HOSTS", "a.example, b.example c.example")
    assert env.words("T_HOSTS", []) == ["a.example", "b.example", "c.example"]


def test_paths_are_made_absolute(monkeypatch: pytest.MonkeyPatch) -> None:
    assert env.path("T_DIR", Path("/srv")) == Path("/srv")
    monkeypatch.setenv("POSTROAD_T_DIR", "~/postroad")
    assert env.path("T_DIR", Path("/srv")) == Path.home() / "postroad"
