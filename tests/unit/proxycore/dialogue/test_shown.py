"""What of a peer's octets may be shown in a log line."""

import pytest

from proxycore.dialogue.shown import shown, without_credentials, without_secrets
from proxycore.wire.sasl import plain
from tests.support.sessions import credential


def test_line_ends_are_underscores_and_all_else_stays() -> None:
    assert shown(b"a\r\nb\xe9") == "a__b\xe9"
    assert len(shown(b"x" * 1000)) == 200


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (b"HELO x\r\n", "HELO x__"),
        (b"EHLO x\r\nAUTH PLAIN AGpvZQBzZWNyZXQ=\r\n", "EHLO x__AUTH ********"),
        (b"a1 login joe secret\r\na2 NOOP\r\n", "a1 login ********"),
        (b"a1 AUTHENTICATE PLAIN AGpvZQBzZWNyZXQ=", "a1 AUTHENTICATE ********"),
        (b"USER joe\r\nPASS secret\r\n", "USER ********"),
        (b"APOP joe c4c9", "APOP ********"),
    ],
)
def test_a_client_is_quoted_up_to_where_it_logs_in(octets: bytes, text: str) -> None:
    assert without_credentials(octets) == text


def test_a_server_that_quotes_a_password_is_not_quoted() -> None:
    known = credential(b"joe", b"secret")
    answer = b'a1 NO "joe" "secret"? ' + plain(b"joe", b"secret") + b"\r\n"
    assert without_secrets(answer, known) == 'a1 NO "joe" "********"? ********'
    assert without_secrets(b"535 c2VjcmV0?\r\n", known) == "535 ********?"
    assert without_secrets(b"-ERR no\n", credential(b"joe", b"")) == "-ERR no"
    assert without_secrets(b"-ERR no\n", None) == "-ERR no"


@pytest.mark.parametrize("mechanism", [b"XOAUTH2", b"OAUTHBEARER"])
def test_nor_is_one_that_quotes_a_token(mechanism: bytes) -> None:
    known = credential(b"joe", b"t0ken", mechanism=mechanism)
    answer = b"535 t0ken? " + known.response(mechanism)
    assert without_secrets(answer, known) == "535 ********? ********"


def test_nor_one_that_quotes_the_password_of_a_master() -> None:
    known = credential(b"joe", b"secret", master=b"root")
    assert without_secrets(plain(b"joe", b"secret", b"root"), known) == "********"
