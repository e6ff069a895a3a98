"""Patterns that are useful are allowed, patterns that run away are not."""

import time

import pytest

from appliance.routing import patterns


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"[a-m].*@example\.com", "joe@example.com"),
        (r"[a-m].*@(north|south)\.example\.(com|org)", "joe@south.example.org"),
        (r"(?i)sales-\d+@.*", "SALES-12@x"),
        (r"(?P<first>.)\w{2,20}", "joe"),
        (r".*\+.*@example\.com", "joe+list@example.com"),
        (r"(ab)+", "abab"),
        (r"a?b??c*+", "bccc"),
        (r"[^@]{1,64}", "joe"),
    ],
)
def test_useful_patterns_are_allowed(pattern: str, text: str) -> None:
    patterns.check(pattern)
    assert patterns.matches(pattern, text)


@pytest.mark.parametrize(
    "pattern",
    [
        r"(a+)+$",
        r"(a|a)*b",
        r"(a|ab)*c",
        r"(.*a){20}",
        r"(a?){30}a{30}",
        "a?" * 30 + "a" * 30,
        ".*" * 6 + "b",
        ".*a.*b.*c.*d",
        "(ab|cd|ef)" * 18,
    ],
)
def test_patterns_that_could_run_away_are_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"too much open|inside a repeated group"):
        patterns.check(pattern)


@pytest.mark.parametrize(
    "pattern", [r"(a)\1", r"a(?=b)b", r"(?<!x)a", r"(a)?(?(1)b|c)", r"(?>a*)b"]
)
def test_what_cannot_be_counted_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="not allowed"):
        patterns.check(pattern)


@pytest.mark.parametrize("pattern", ["[", "a**", "*", "(?z)", "a{2,1}", "(" * 150])
def test_what_is_no_expression_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="Not a regular expression"):
        patterns.check(pattern)


def test_lengths_are_limited() -> None:
    with pytest.raises(ValueError, match="200 characters"):
        patterns.check("a" * 201)
    assert patterns.matches(".*", "a" * patterns.MAX_LOGIN_CHARS)
    assert not patterns.matches(".*", "a" * (patterns.MAX_LOGIN_CHARS + 1))


def test_the_whole_login_has_to_fit_also_at_a_line_break() -> None:
    assert not patterns.matches("joe", "joe\n")


def test_the_worst_allowed_pattern_is_quick() -> None:
    pattern = "a*a*[ab][ab]"
    patterns.check(pattern)
    began = time.perf_counter()
    assert not patterns.matches(pattern, "a" * (patterns.MAX_LOGIN_CHARS - 1) + "!")
    # tens of milliseconds; what the limit keeps away takes longer than anybody lives
    assert time.perf_counter() - began < 2


@pytest.mark.parametrize(
    "pattern", ["^(?:[0-9]+-)*x", r"([a-z]+\.)*example", "((?:[a-z]-)+)?x", "(a+b){2}"]
)
def test_rounds_that_end_by_a_character_of_their_own_are_harmless(pattern: str) -> None:
    patterns.check(pattern)
    started = time.monotonic()
    for text in ("0" * 256, "0-" * 128, "a." * 128, "ab" * 128):
        patterns.matches(pattern, text)
    assert time.monotonic() - started < 1


@pytest.mark.parametrize(
    "pattern",
    ["([0-9]+)*x", "([0-9]+[0-9]-)*x", "([0-9]*-)*", "(.+-)*x", "(-[0-9]+)*5", r"(\w+-)*"],
)
def test_rounds_that_run_into_each_other_are_not(pattern: str) -> None:
    with pytest.raises(ValueError, match="as in"):
        patterns.check(pattern)
