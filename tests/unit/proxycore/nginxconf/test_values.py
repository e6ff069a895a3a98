"""The kinds of value: sizes, times, numbers (directives.md §1.2, §1.3)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxycore.nginxconf.values import (
    parse_size,
    parse_time_ms,
    whole_number,
    write_size,
    write_time_ms,
)

_DAY = 86_400_000


@pytest.mark.parametrize(
    ("text", "time_ms"),
    [
        ("5", 5_000),
        ("60000", 60_000_000),
        ("0", 0),
        ("5s", 5_000),
        ("250ms", 250),
        ("1m", 60_000),
        ("1h 30m", 5_400_000),
        ("1h30m", 5_400_000),
        ("1d", _DAY),
        ("2w", 14 * _DAY),
        ("1s 5ms", 1_005),
        ("1m 5", 65_000),
        ("5 ", 5_000),
        ("1ms5", 5_001),
        ("h5", 5_000),
        ("", None),
        ("s", None),
        ("-1", None),
        ("1.5s", None),
        ("5x", None),
        ("1y", None),
        ("1M", None),
        ("30m 1h", None),
        ("1m 1m", None),
        ("5 1m", None),
        ("5 5", 10_000),
        ("1s 5 ", None),
        ("99999999999999999999", None),
        ("9999999999999999w", None),
        ("٥", None),
    ],
)
def test_a_time_is_read_as_nginx_reads_it(text: str, time_ms: int | None) -> None:
    assert parse_time_ms(text) == time_ms


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("4096", 4096),
        ("4k", 4096),
        ("4K", 4096),
        ("1m", 1_048_576),
        ("1M", 1_048_576),
        ("4g", None),
        ("k", None),
        ("", None),
        ("1.5k", None),
        ("-1", None),
        ("9223372036854775807k", None),
    ],
)
def test_a_size_is_read_as_nginx_reads_it(text: str, size: int | None) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("text", "number"),
    [("0", 0), ("007", 7), ("+1", None), ("1 ", None), ("9" * 19, None), ("9" * 30, None)],
)
def test_a_number_is_digits_that_fit_in_64_bits(text: str, number: int | None) -> None:
    assert whole_number(text) == number


@given(st.integers(0, 2**40))
def test_a_written_time_reads_back(value: int) -> None:
    assert parse_time_ms(write_time_ms(value)) == value


@given(st.integers(0, 2**40))
def test_a_written_size_reads_back(value: int) -> None:
    assert parse_size(write_size(value)) == value


@given(st.text(alphabet="0123456789yMwdhms kKxé", max_size=12))
def test_no_text_makes_a_reader_raise(text: str) -> None:
    parse_time_ms(text)
    parse_size(text)
    whole_number(text)
