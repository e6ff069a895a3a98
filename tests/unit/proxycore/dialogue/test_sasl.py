"""SASL exchanges, without a protocol around them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxycore.dialogue.sasl import (
    MECHANISMS,
    Challenge,
    Failure,
    Outcome,
    first_word,
)
from proxycore.dialogue.steps import Submission
from proxycore.wire.sasl import encode_base64, oauthbearer, plain, xoauth2


def _salt() -> bytes:
    return b"<1.2@mx>"


def _plain(initial: bytes | None) -> Outcome:
    return MECHANISMS[b"PLAIN"](initial, _salt)


def _login(initial: bytes | None) -> Outcome:
    return MECHANISMS[b"LOGIN"](initial, _salt)


def _submitted(outcome: Outcome) -> tuple[str, bytes, bytes]:
    assert isinstance(outcome, Submission)
    return outcome.method, outcome.login, outcome.password


def _asked(outcome: Outcome) -> Challenge:
    assert isinstance(outcome, Challenge)
    return outcome


def _failed(outcome: Outcome) -> str:
    assert isinstance(outcome, Failure)
    return outcome.message


def test_plain_takes_its_response_at_once_or_when_asked() -> None:
    response = plain(b"joe", b"secret")
    assert _submitted(_plain(response)) == ("plain", b"joe", b"secret")
    challenge = _asked(_plain(None))
    assert challenge.text == b""
    assert _submitted(challenge.take(response)) == ("plain", b"joe", b"secret")


def test_an_empty_initial_response_is_a_response() -> None:
    assert _failed(_plain(b"=")) == "client sent invalid login in AUTH PLAIN command"


def test_the_authorization_identity_is_not_used() -> None:
    response = encode_base64(b"admin\0joe\0secret")
    assert _submitted(_plain(response)) == ("plain", b"joe", b"secret")


def test_login_asks_twice_unless_the_name_comes_at_once() -> None:
    name = _asked(_login(None))
    assert name.text == encode_base64(b"Username:")
    for challenge in (_asked(name.take(b"am9l")), _asked(_login(b"am9l"))):
        assert challenge.text == encode_base64(b"Password:")
        assert _submitted(challenge.take(b"cHc=")) == ("plain", b"joe", b"pw")


def test_two_logins_at_once_do_not_share_their_names() -> None:
    first, second = _asked(_login(b"am9l")), _asked(_login(b"amlt"))
    assert _submitted(first.take(b"")) == ("plain", b"joe", b"")
    assert _submitted(second.take(b"")) == ("plain", b"jim", b"")


def test_failures_say_what_was_wrong_and_nothing_of_what_was_sent() -> None:
    bad = "client sent invalid base64 encoding in AUTH {} command"
    assert _failed(_plain(b"*")) == bad.format("PLAIN")
    assert _failed(_login(b"*")) == bad.format("LOGIN")
    assert _failed(_asked(_login(b"")).take(b"*")) == bad.format("LOGIN")
    no_password = encode_base64(b"\0joe")
    assert _failed(_plain(no_password)) == ("client sent invalid password in AUTH PLAIN command")


def test_cram_md5_asks_with_the_salt_and_submits_it() -> None:
    challenge = _asked(MECHANISMS[b"CRAM-MD5"](None, _salt))
    assert challenge.text == encode_base64(b"<1.2@mx>")
    outcome = challenge.take(encode_base64(b"joe " + b"0" * 32))
    assert _submitted(outcome) == ("cram-md5", b"joe", b"0" * 32)
    assert isinstance(outcome, Submission)
    assert outcome.salt == b"<1.2@mx>"


def test_cram_md5_has_no_initial_response() -> None:
    assert _failed(MECHANISMS[b"CRAM-MD5"](b"", _salt)) == ""


@pytest.mark.parametrize("message", [b"joe", b"joe 00", b"a joe " + b"0" * 32, b"", b"0" * 32])
def test_a_digest_has_thirty_two_characters_after_the_first_space(message: bytes) -> None:
    take = _asked(MECHANISMS[b"CRAM-MD5"](None, _salt)).take
    assert _failed(take(encode_base64(message))) == (
        "client sent invalid CRAM-MD5 hash in AUTH CRAM-MD5 command"
    )
    assert _failed(take(b"*")) == "client sent invalid base64 encoding in AUTH CRAM-MD5 command"


def test_external_is_a_name_and_nothing_else() -> None:
    start = MECHANISMS[b"EXTERNAL"]
    challenge = _asked(start(None, _salt))
    assert challenge.text == encode_base64(b"Username:")
    assert _submitted(challenge.take(b"am9l")) == ("external", b"joe", b"")
    assert _submitted(start(b"=", _salt)) == ("external", b"", b"")
    assert _failed(start(b"*", _salt)) == (
        "client sent invalid base64 encoding in AUTH EXTERNAL command"
    )


@pytest.mark.parametrize(
    ("mechanism", "message", "submitted"),
    [
        (b"XOAUTH2", b"user=joe\x01auth=Bearer tok\x01\x01", (b"joe", b"tok")),
        (b"XOAUTH2", b"user=\x01auth=bearer  a.b~c+/d==\x01\x01", (b"", b"a.b~c+/d==")),
        (
            b"OAUTHBEARER",
            b"n,a=joe@e,\x01host=h\x01port=1\x01auth=Bearer t\x01\x01",
            (b"joe@e", b"t"),
        ),
        (b"OAUTHBEARER", b"y,,\x01auth=Bearer t\x01\x01", (b"", b"t")),
        (b"OAUTHBEARER", b"n,a=a=2Cb=3Dc,\x01auth=Bearer t\x01\x01", (b"a,b=c", b"t")),
        (b"OAUTHBEARER", b"n,,\x01auth=\x01\x01", (b"", b"")),
    ],
)
def test_a_token_comes_with_an_identity(
    mechanism: bytes, message: bytes, submitted: tuple[bytes, bytes]
) -> None:
    start, response = MECHANISMS[mechanism], encode_base64(message)
    method = mechanism.decode().lower()
    assert _submitted(start(response, _salt)) == (method, *submitted)
    challenge = _asked(start(None, _salt))
    assert challenge.text == b""
    assert _submitted(challenge.take(response)) == (method, *submitted)


@pytest.mark.parametrize(
    ("mechanism", "message"),
    [
        (b"XOAUTH2", b""),
        (b"XOAUTH2", b"user=joe\x01auth=Bearer tok\x01"),
        (b"XOAUTH2", b"auth=Bearer tok\x01\x01"),
        (b"XOAUTH2", b"user=joe\x01auth=\x01\x01"),
        (b"XOAUTH2", b"user=joe\x01auth=Basic tok\x01\x01"),
        (b"XOAUTH2", b"user=joe\x01auth=Bearer t k\x01\x01"),
        (b"XOAUTH2", b"user=joe\x01user=jim\x01auth=Bearer t\x01\x01"),
        (b"XOAUTH2", b"user=joe\x01auth=Bearer t\r\n\x01\x01"),
        (b"OAUTHBEARER", b"p=tls-unique,,\x01auth=Bearer t\x01\x01"),
        (b"OAUTHBEARER", b"n,a=a=b,\x01auth=Bearer t\x01\x01"),
        (b"OAUTHBEARER", b"n,joe,\x01auth=Bearer t\x01\x01"),
        (b"OAUTHBEARER", b"n,a=joe,\x01\x01"),
        (b"OAUTHBEARER", b"n,a=joe,auth=Bearer t\x01\x01"),
        (b"OAUTHBEARER", b"user=joe\x01auth=Bearer tok\x01\x01"),
    ],
)
def test_what_is_no_token_is_not_submitted(mechanism: bytes, message: bytes) -> None:
    outcome = MECHANISMS[mechanism](encode_base64(message), _salt)
    name = mechanism.decode()
    assert _failed(outcome) == f"client sent invalid token in AUTH {name} command"
    assert "base64" in _failed(MECHANISMS[mechanism](b"*", _salt))


@given(st.binary(max_size=20), st.from_regex(rb"[A-Za-z0-9._~+/-]{1,20}=?", fullmatch=True))
def test_a_token_we_send_is_one_we_would_take(login: bytes, token: bytes) -> None:
    if set(login) & {0, 1}:
        return
    for name, render in ((b"XOAUTH2", xoauth2), (b"OAUTHBEARER", oauthbearer)):
        method = name.decode().lower()
        assert _submitted(MECHANISMS[name](render(login, token), _salt)) == (method, login, token)


def test_a_master_authenticates_for_the_login() -> None:
    assert plain(b"joe", b"secret", b"root") == encode_base64(b"joe\0root\0secret")


def test_mechanisms_are_found_by_upper_case_name() -> None:
    assert all(name == name.upper() for name in MECHANISMS)


def test_only_the_first_word_of_a_response_counts() -> None:
    assert first_word(b"am9l and more") == b"am9l"
    assert first_word(b" am9l") == b""
    assert first_word(b"") == b""
