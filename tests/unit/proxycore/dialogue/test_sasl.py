"""SASL exchanges, without a protocol around them."""

from proxycore.dialogue.sasl import (
    MECHANISMS,
    Challenge,
    Failure,
    Outcome,
    first_word,
    start_login,
    start_plain,
)
from proxycore.dialogue.steps import Submission
from proxycore.wire.sasl import encode_base64, plain


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
    assert _submitted(start_plain(response)) == ("plain", b"joe", b"secret")
    challenge = _asked(start_plain(None))
    assert challenge.text == b""
    assert _submitted(challenge.take(response)) == ("plain", b"joe", b"secret")


def test_an_empty_initial_response_is_a_response() -> None:
    assert _failed(start_plain(b"=")) == "client sent invalid login in AUTH PLAIN command"


def test_the_authorization_identity_is_not_used() -> None:
    response = encode_base64(b"admin\0joe\0secret")
    assert _submitted(start_plain(response)) == ("plain", b"joe", b"secret")


def test_login_asks_twice_unless_the_name_comes_at_once() -> None:
    name = _asked(start_login(None))
    assert name.text == encode_base64(b"Username:")
    for challenge in (_asked(name.take(b"am9l")), _asked(start_login(b"am9l"))):
        assert challenge.text == encode_base64(b"Password:")
        assert _submitted(challenge.take(b"cHc=")) == ("plain", b"joe", b"pw")


def test_two_logins_at_once_do_not_share_their_names() -> None:
    first, second = _asked(start_login(b"am9l")), _asked(start_login(b"amlt"))
    assert _submitted(first.take(b"")) == ("plain", b"joe", b"")
    assert _submitted(second.take(b"")) == ("plain", b"jim", b"")


def test_failures_say_what_was_wrong_and_nothing_of_what_was_sent() -> None:
    bad = "client sent invalid base64 encoding in AUTH {} command"
    assert _failed(start_plain(b"*")) == bad.format("PLAIN")
    assert _failed(start_login(b"*")) == bad.format("LOGIN")
    assert _failed(_asked(start_login(b"")).take(b"*")) == bad.format("LOGIN")
    no_password = encode_base64(b"\0joe")
    assert _failed(start_plain(no_password)) == (
        "client sent invalid password in AUTH PLAIN command"
    )


def test_mechanisms_are_found_by_upper_case_name() -> None:
    assert all(name == name.upper() for name in MECHANISMS)


def test_only_the_first_word_of_a_response_counts() -> None:
    assert first_word(b"am9l and more") == b"am9l"
    assert first_word(b" am9l") == b""
    assert first_word(b"") == b""
