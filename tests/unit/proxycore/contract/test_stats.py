"""The catalogue of statistics and the names of series."""

from itertools import pairwise

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
    labels = {"server": server, "reason": str(reason), "backend": "[::1]:143", "protocol": "imap"}
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


@given(st.text(max_size=200))
def test_any_text_can_be_made_a_label(text: str) -> None:
    label = stats.label_of(text)
    name = stats.series(stats.BACKEND_LOGINS, label)
    assert stats.parse_series(name) == (stats.BACKEND_LOGINS, {"backend": label})


def histogram(**buckets: int) -> list[int]:
    row = [0] * stats.HISTOGRAM_SIZE
    for place, count in buckets.items():
        row[int(place[1:])] = count
    return row


def test_bounds_are_spaced_evenly_on_a_logarithmic_scale() -> None:
    bounds = stats.BOUNDS_S
    assert list(bounds) == sorted(bounds)
    assert all(2 <= high / low <= 3 for low, high in pairwise(bounds))
    assert len(bounds) + 2 == stats.HISTOGRAM_SIZE


def test_quantiles_are_estimated_within_their_bucket() -> None:
    assert stats.quantile_s(histogram(), 0.5) is None
    all_in_one = histogram(b2=100)
    assert stats.quantile_s(all_in_one, 0.5) == pytest.approx(0.0015)
    assert stats.quantile_s(all_in_one, 1.0) == pytest.approx(0.002)
    two = histogram(b0=95, b10=5)
    assert stats.quantile_s(two, 0.95) == pytest.approx(0.0005)
    assert stats.quantile_s(two, 0.99) == pytest.approx(0.5 + 0.5 * 0.8)
    above_all = histogram(b16=1)
    assert stats.quantile_s(above_all, 0.5) == stats.BOUNDS_S[-1]


def test_histograms_are_added_number_by_number() -> None:
    one, other = histogram(b1=2, b17=900), histogram(b1=1, b3=4, b17=100)
    assert stats.added(one, other) == histogram(b1=3, b3=4, b17=1000)
    assert stats.observations(stats.added(one, other)) == 7


def test_the_catalogue_holds_every_declared_stat_under_its_name() -> None:
    declared = [value for value in vars(stats).values() if isinstance(value, stats.Stat)]
    assert {stat.name: stat for stat in declared} == stats.CATALOGUE
    assert all(stat.help.endswith(".") for stat in declared)
