"""xtext."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxycore.wire import xtext


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        (b"joe@example.com", b"joe@example.com"),
        (b"us er+=x", b"us+20er+2B+3Dx"),
        (b"\r\n\0\x7f\xe9", b"+0D+0A+00+7F+E9"),
        (b"[UNAVAILABLE]", b"[UNAVAILABLE]"),
        (b"", b""),
    ],
)
def test_encoding(value: bytes, encoded: bytes) -> None:
    assert xtext.encode(value) == encoded
    assert xtext.decode(encoded) == value


def test_decoding_leaves_what_is_not_encoded() -> None:
    assert xtext.decode(b"a+zz+4") == b"a+zz+4"
    assert xtext.decode(b"+2b") == b"+"


@given(st.binary(max_size=60))
def test_any_value_round_trips_as_one_attribute(value: bytes) -> None:
    encoded = xtext.encode(value)
    assert xtext.decode(encoded) == value
    assert not set(encoded) & set(b" =\r\n\0")
