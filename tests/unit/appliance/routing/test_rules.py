"""What each kind of route matches."""

import pytest

from appliance.routing import rules
from appliance.routing.choices import MatchKind
from appliance.routing.rules import Login


@pytest.mark.parametrize(
    ("kind", "value", "login", "fits"),
    [
        (MatchKind.USER, "joe@example.com", b"Joe@EXAMPLE.com", True),
        (MatchKind.USER, "joe", b"joey", False),
        (MatchKind.USER, "", b"\xff", False),
        (MatchKind.DOMAIN, "example.com", b"joe@Example.COM", True),
        (MatchKind.DOMAIN, "example.com", b'"a@b"@example.com', True),
        (MatchKind.DOMAIN, "example.com", b"joe@sub.example.com", False),
        (MatchKind.DOMAIN, "example.com", b"example.com", False),
        (MatchKind.LETTERS, "acfg", b"alice", True),
        (MatchKind.LETTERS, "acfg", b"Alice", False),
        (MatchKind.LETTERS, "acfg", b"bob", False),
        (MatchKind.LETTERS, "acfg", b"", False),
        (MatchKind.PATTERN, "[a-m].*", b"joe", True),
        (MatchKind.PATTERN, "[a-m].*", b"Joe", False),
        (MatchKind.PATTERN, "oe", b"joe", False),
        (MatchKind.DEFAULT, "", b"", True),
        (MatchKind.DEFAULT, "", b"\x00\xff", True),
    ],
)
def test_matching(kind: MatchKind, value: str, login: bytes, fits: bool) -> None:
    assert rules.matches(kind, value, Login.read(login)) is fits


def test_only_ascii_letters_are_folded() -> None:
    # the Kelvin sign and the sharp s would make other users of these under str.lower/casefold
    assert rules.fold("K\u212a\u00df\u00c4") == "k\u212a\u00df\u00c4"


@pytest.mark.parametrize("raw", [bytes(range(256)), b"\xff\xfe@x", b"a\x00b@example.com", b""])
def test_any_bytes_can_be_read(raw: bytes) -> None:
    login = Login.read(raw)
    assert (login.user, login.domain) == ("", "")
    for kind in MatchKind:
        assert isinstance(rules.matches(kind, "a", login), bool)


@pytest.mark.parametrize(
    ("kind", "typed", "stored"),
    [
        (MatchKind.USER, " Joe@Example.com ", "joe@example.com"),
        (MatchKind.DOMAIN, "@Example.COM", "example.com"),
        (MatchKind.LETTERS, "a, c, f, g, a", "acfg"),
        (MatchKind.LETTERS, "Aa", "Aa"),
        (MatchKind.PATTERN, "[A-M].*", "[A-M].*"),
        (MatchKind.DEFAULT, " ", ""),
    ],
)
def test_values_are_stored_in_one_form(kind: MatchKind, typed: str, stored: str) -> None:
    assert rules.normalise(kind, typed) == stored


@pytest.mark.parametrize(
    ("kind", "typed", "words"),
    [
        (MatchKind.DEFAULT, "x", "needs no value"),
        (MatchKind.USER, "", "needs a value"),
        (MatchKind.LETTERS, " , ", "needs a value"),
        (MatchKind.DOMAIN, "a@b", "one domain"),
        (MatchKind.DOMAIN, "a.example b.example", "one domain"),
        (MatchKind.PATTERN, "(", "Not a regular expression"),
    ],
)
def test_wrong_values_are_refused_in_words(kind: MatchKind, typed: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        rules.normalise(kind, typed)


@pytest.mark.parametrize("kind", list(MatchKind))
def test_every_kind_is_explained(kind: MatchKind) -> None:
    assert rules.explain(kind, "ab")


@pytest.mark.parametrize(
    ("given", "stored"),
    [("a-f", "abcdef"), ("x a-c, 0-2", "xabc012"), ("ab-", "ab-"), ("-", "-"), ("A-C", "ABC")],
)
def test_ranges_of_letters_are_spelt_out(given: str, stored: str) -> None:
    assert rules.normalise(MatchKind.LETTERS, given) == stored
    assert rules.normalise(MatchKind.LETTERS, stored) == stored


@pytest.mark.parametrize("given", ["f-a", "a--b", "a-B", "-a"])
def test_a_range_that_is_none_is_refused(given: str) -> None:
    with pytest.raises(ValueError, match=r"range|backwards"):
        rules.normalise(MatchKind.LETTERS, given)
