"""SASL responses as octets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxycore.wire.sasl import decode_base64, encode_base64, plain, split_plain


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"", b""),
        (b"=", b""),
        (b"am9l", b"joe"),
        (b"am9lMQ==", b"joe1"),
        (b"am9lMQ", b"joe1"),
        (b"cHc=", b"pw"),
        (b"cHc", b"pw"),
        (b"cHc=!! anything", b"pw"),
        (b"cHc=cHc=", b"pw"),
        (b"+/+/", b"\xfb\xff\xbf"),
    ],
)
def test_decoding_is_lenient_about_padding(text: bytes, value: bytes) -> None:
    assert decode_base64(text) == value


@pytest.mark.parametrize("text", [b"*", b"a", b"abcde", b"am9l\r", b"am 9l", b"am-_", b"\xff\xff"])
def test_what_is_not_base64(text: bytes) -> None:
    assert decode_base64(text) is None


@given(st.binary(max_size=200))
def test_what_was_encoded_is_decoded(value: bytes) -> None:
    assert decode_base64(encode_base64(value)) == value
    assert b"\n" not in encode_base64(value)


@pytest.mark.parametrize(
    ("message", "parts"),
    [
        (b"\0joe\0secret", (b"joe", b"secret")),
        (b"admin\0joe\0secret", (b"joe", b"secret")),
        (b"\0\0", (b"", b"")),
        (b"\0joe\0se\0cret", (b"joe", b"se\0cret")),
        (b"\0joe", (b"joe", None)),
        (b"joe", None),
        (b"", None),
    ],
)
def test_plain_has_three_fields(message: bytes, parts: object) -> None:
    assert split_plain(message) == parts


def test_our_own_plain_response() -> None:
    assert plain(b"joe", b"secret") == b"AGpvZQBzZWNyZXQ="
