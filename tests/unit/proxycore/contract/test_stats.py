"""The catalogue of statistics and the names of series."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxycore.contract import stats
from proxycore.contract.fields import settings_of
from proxycore.contract.reasons import CloseReason
from proxycore.contract.snapshot import Server

_SERVER_NAMES = st.from_regex(settings_of(Server)["name"].pattern, fullmatch=True)


def test_a_series_is_named_with_its_labels() -> None:
    assert stats.series(stats.SESSIONS_OPEN) == "sessions_open"
    name = stats.series(stats.SESSIONS_CLOSED, "imap *:143", CloseReason.DONE)
    assert name == "sessions_closed{server=imap *:143,reason=done}"


def test_a_series_needs_every_label() -> None:
    with pytest.raises(ValueError, match="zip"):
        stats.series(stats.SESSIONS_CLOSED, "imap")


@given(st.sampled_from(list(stats.CATALOGUE.values())), _SERVER_NAMES, st.sampled_from(CloseReason))
def test_a_series_name_is_taken_apart_again(
    stat: stats.Stat, server: str, reason: CloseReason
) -> None:
    labels = {"server": server, "reason": str(reason)}
    wanted = {name: labels[name] for name in stat.labels}
    assert stats.parse_series(stats.series(stat, *wanted.values())) == (stat, wanted)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "wat",
        "{",
        "logins",
        "logins{",
        "logins{}",
        "logins{server}",
        "logins{server=a",
        "logins{server=a}}",
        "logins{server=a}x",
        "logins{server=a,server=b}",
        "logins{reason=a}",
        "sessions_open{}",
        "sessions_open{server=a}",
        "sessions_closed{reason=a,server=b}",
    ],
)
def test_what_series_never_gives_is_a_key_error(name: str) -> None:
    with pytest.raises(KeyError):
        stats.parse_series(name)


@given(st.text(alphabet="logins{}=,server x", max_size=30))
def test_any_text_is_a_series_or_a_key_error(name: str) -> None:
    try:
        stat, labels = stats.parse_series(name)
    except KeyError:
        return
    assert stats.series(stat, *labels.values()) == name


def test_the_catalogue_holds_every_declared_stat_under_its_name() -> None:
    declared = [value for value in vars(stats).values() if isinstance(value, stats.Stat)]
    assert {stat.name: stat for stat in declared} == stats.CATALOGUE
    assert all(stat.help.endswith(".") for stat in declared)
