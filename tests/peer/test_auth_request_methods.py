"""What an auth service is asked, octet by octet: logins without a password in clear."""

import base64
import re
from collections.abc import Generator

import pytest

from tests.peer.stage import SALT, ZEROS, Stage, staged
from tests.support.stub_auth import Request
from tests.support.talk import Pop3, Talk, b64, plain

_MAIL = """
    auth_http http://@AUTH@/auth;
    server_name mx.example.com;
    proxy_timeout 15s;
    server { listen @1@; protocol imap; imap_auth plain cram-md5 external; }
    server { listen @2@; protocol pop3; pop3_auth plain apop cram-md5 external; }
    server { listen @3@; protocol smtp; smtp_auth plain login cram-md5 external none; }
    server { listen @4@; protocol pop3; pop3_auth plain external; }
"""
_TEMPLATE = """\
GET /auth HTTP/1.0
Host: 127.0.0.1
Auth-Method: {method}
Auth-User: {user}
Auth-Pass: {digest}
{salt}Auth-Protocol: {protocol}
Auth-Login-Attempt: {attempt}
Client-IP: 127.0.0.1
{more}
"""


def _no(request: Request) -> dict[str, str]:
    """Refuse; the session of somebody who has another attempt in mind goes on."""
    goes_on = request["Auth-Login-Attempt"] == "1" and _going_on
    return {"Auth-Status": "No", "Auth-Wait": "1" if goes_on else ""}


_going_on: list[bool] = []
"""Not empty while a test logs in twice in one session."""


@pytest.fixture(scope="module")
def stage(kind: str) -> Generator[Stage, None, None]:
    with staged(kind, _MAIL, _no) as running:
        yield running


@pytest.fixture(autouse=True)
def _nothing_asked(stage: Stage, request: pytest.FixtureRequest) -> None:
    stage.auth.clear()
    stage.auth.decide = _no
    _going_on[:] = [True] * (request.node.get_closest_marker("twice") is not None)


def _raw(method: str, protocol: str, **fields: object) -> bytes:
    values = {"user": "u", "digest": "", "salt": "", "attempt": 1, "more": "", **fields}
    if values["salt"]:
        values["salt"] = f"Auth-Salt: {values['salt']}\n"
    text = _TEMPLATE.format(method=method, protocol=protocol, **values)
    return text.replace("\n", "\r\n").encode("latin-1")


def _cram_md5(talk: Talk, line: str) -> str:
    """Answer a challenge with zeros, and give it."""
    challenge = talk.ask(line)
    response = b64(f"u {ZEROS}")
    talk.send(response)
    assert "No" in talk.line()
    return base64.b64decode(challenge.split()[-1]).decode("ascii")


@pytest.mark.twice
@pytest.mark.parametrize(
    ("server", "line"),
    [(1, "a AUTHENTICATE CRAM-MD5"), (2, "AUTH CRAM-MD5"), (3, "AUTH CRAM-MD5")],
)
def test_cram_md5(stage: Stage, server: int, line: str) -> None:
    protocol = ("imap", "pop3", "smtp")[server - 1]
    with getattr(stage, protocol)(server) as talk:
        first = _cram_md5(talk, line)
        second = _cram_md5(talk, line)
    assert re.fullmatch(r"<\d+\.\d+@mx\.example\.com>", first)
    assert first == second  # one challenge for the whole session
    more = "Client-Host: [UNAVAILABLE]\n" if protocol == "smtp" else ""
    assert [request.common for request in stage.auth.requests] == [
        _raw("cram-md5", protocol, digest=ZEROS, salt=first, attempt=attempt, more=more)
        for attempt in (1, 2)
    ]


def test_cram_md5_digest_is_passed_as_typed(stage: Stage) -> None:
    digest = "a b%" + "F" * 28
    with stage.imap() as talk:
        talk.ask("a AUTHENTICATE CRAM-MD5")
        assert talk.ask(b64(f"us%er {digest}")) == "a NO No"
    (request,) = stage.auth.requests
    assert request["Auth-User"] == "us%25er"
    assert request["Auth-Pass"] == "a%20b%25" + "F" * 28


@pytest.mark.parametrize("response", [f"u {ZEROS}0", f"u {ZEROS[1:]}", "u", ZEROS, ""])
def test_cram_md5_wants_exactly_32_characters(stage: Stage, response: str) -> None:
    with stage.imap() as talk:
        talk.ask("a AUTHENTICATE CRAM-MD5")
        assert talk.ask(b64(response)) == "a BAD invalid command"
        assert talk.ask("b NOOP") == "b OK completed"
    assert stage.auth.requests == []


@pytest.mark.twice
def test_apop(stage: Stage) -> None:
    with stage.pop3(2) as talk:
        assert talk.ask(f"APOP u {'1' * 32}") == "-ERR No"
        assert talk.ask("APOP u short") == "-ERR No"
    first, second = stage.auth.requests
    salt = first["Auth-Salt"]
    assert re.fullmatch(SALT, salt)
    assert first.common == _raw("apop", "pop3", digest="1" * 32, salt=salt)
    assert second.common == _raw("apop", "pop3", digest="short", salt=salt, attempt=2)


def test_apop_challenge_is_the_one_of_the_greeting(stage: Stage) -> None:
    with Pop3(stage.ports[1]) as talk:
        greeting = talk.line()
        talk.ask(f"APOP u {'1' * 32}")
    found = re.fullmatch(r"\+OK POP3 ready (<\d+\.\d+@mx\.example\.com>)", greeting)
    assert found
    assert stage.auth.requests[0]["Auth-Salt"] == found[1]


@pytest.mark.parametrize("wrong", ["APOP u", "APOP u digest more", "APOP"])
def test_apop_wants_two_arguments(stage: Stage, wrong: str) -> None:
    with stage.pop3(2) as talk:
        assert talk.ask(wrong) == "-ERR invalid command"
    assert stage.auth.requests == []


@pytest.mark.parametrize(
    ("server", "lines"),
    [
        (1, [f"a AUTHENTICATE EXTERNAL {b64('u')}"]),
        (1, ["a AUTHENTICATE EXTERNAL", b64("u")]),
        (4, [f"AUTH EXTERNAL {b64('u')}"]),
        (4, ["AUTH EXTERNAL", b64("u")]),
        (3, [f"AUTH EXTERNAL {b64('u')}"]),
        (3, ["AUTH EXTERNAL", b64("u")]),
    ],
)
def test_external(stage: Stage, server: int, lines: list[str]) -> None:
    # a POP3 server that greets with a challenge has nginx pass that, too
    protocol = ("imap", "pop3", "smtp", "pop3")[server - 1]
    with getattr(stage, protocol)(server) as talk:
        answers = [talk.ask(line) for line in lines]
    assert answers[-1].endswith(" No")
    more = "Client-Host: [UNAVAILABLE]\n" if protocol == "smtp" else ""
    (request,) = stage.auth.requests
    assert request.common == _raw("external", protocol, more=more)


def _external_at_a_server_with_a_challenge(stage: Stage) -> Request:
    with stage.pop3(2) as talk:
        assert talk.ask(f"AUTH EXTERNAL {b64('u')}") == "-ERR No"
    (request,) = stage.auth.requests
    return request


@pytest.mark.ours("the challenge is no part of EXTERNAL")
def test_external_has_no_salt(stage: Stage) -> None:
    assert _external_at_a_server_with_a_challenge(stage).common == _raw("external", "pop3")


@pytest.mark.theirs("it sends whatever challenge there is")
def test_external_has_the_salt_of_the_greeting(stage: Stage) -> None:
    assert re.fullmatch(SALT, _external_at_a_server_with_a_challenge(stage)["Auth-Salt"])


@pytest.mark.parametrize("server", [1, 2])
def test_password_is_needed_at_the_mail_server(stage: Stage, server: int) -> None:
    fields = {"Auth-Status": "OK", "Auth-Server": "127.0.0.1", "Auth-Port": "9"}
    stage.auth.decide = lambda _: fields
    with getattr(stage, ("imap", "pop3")[server - 1])(server) as talk:
        verb = ("a AUTHENTICATE", "AUTH")[server - 1]
        talk.send(f"{verb} EXTERNAL {b64('u')}")
        assert "internal server error" in talk.rest()
    assert stage.proxy.log_contains("did not send password")


def _none(**fields: object) -> bytes:
    more = (
        "Client-Host: [UNAVAILABLE]\n"
        f"Auth-SMTP-Helo: {fields.pop('helo', '')}\n"
        f"Auth-SMTP-From: {fields.pop('sender')}\n"
        f"Auth-SMTP-To: {fields.pop('recipient')}\n"
    )
    return _raw("none", "smtp", user="", more=more, **fields)


@pytest.mark.twice
def test_none_asks_at_each_recipient(stage: Stage) -> None:
    with stage.smtp(3) as talk:
        assert talk.ask("MAIL FROM:<>") == "250 2.0.0 OK"
        assert talk.ask("RCPT TO:<a@b>") == "535 5.7.0 No"
        assert talk.ask("RCPT TO:<c@d>") == "535 5.7.0 No"
    assert [request.common for request in stage.auth.requests] == [
        _none(sender="MAIL FROM:<>", recipient="RCPT TO:<a@b>"),
        _none(sender="MAIL FROM:<>", recipient="RCPT TO:<c@d>", attempt=2),
    ]


def test_none_passes_lines_as_typed(stage: Stage) -> None:
    with stage.smtp(3) as talk:
        talk.ask("EHLO laptop.example")
        talk.ask("mail  from:<a b@%c>  SIZE=100   ")
        talk.ask("Rcpt To:<x@y> NOTIFY=NEVER ")
    (request,) = stage.auth.requests
    assert request.common == _none(
        helo="laptop.example",
        sender="mail  from:<a b@%c>  SIZE=100",
        recipient="Rcpt To:<x@y> NOTIFY=NEVER",
    )


def test_a_new_hello_forgets_the_sender(stage: Stage) -> None:
    with stage.smtp(3) as talk:
        talk.ask("MAIL FROM:<a@b>")
        assert talk.ask("MAIL FROM:<a@b>") == "503 5.5.1 Bad sequence of commands"
        talk.ask("HELO laptop")
        assert talk.ask("RCPT TO:<c@d>") == "503 5.5.1 Bad sequence of commands"
        assert talk.ask("MAIL") == "501 5.5.4 Invalid argument"
        talk.ask("MAIL FROM:<a@b>")
        assert talk.ask("RCPT") == "501 5.5.4 Invalid argument"
        talk.ask("RSET")
        assert talk.ask("RCPT TO:<c@d>") == "503 5.5.1 Bad sequence of commands"
    assert stage.auth.requests == []


@pytest.mark.twice
@pytest.mark.ours("nginx passes stale credentials (CVE-2025-53859 is of this kind)")
@pytest.mark.parametrize("when", ["before MAIL", "between MAIL and RCPT"])
def test_none_carries_nothing_of_a_failed_login(stage: Stage, when: str) -> None:
    login = f"AUTH PLAIN {plain('u', 'p')}"
    lines = [login, "MAIL FROM:<>"] if when == "before MAIL" else ["MAIL FROM:<>", login]
    with stage.smtp(3) as talk:
        for line in lines:
            talk.ask(line)
        talk.ask("RCPT TO:<a@b>")
    assert stage.auth.requests[-1].common == _none(
        sender="MAIL FROM:<>", recipient="RCPT TO:<a@b>", attempt=2
    )


@pytest.mark.twice
@pytest.mark.ours("nginx passes the password of the login before")
def test_external_carries_no_password_of_a_failed_login(stage: Stage) -> None:
    with stage.imap() as talk:
        talk.ask("a LOGIN x secret")
        talk.ask(f"b AUTHENTICATE EXTERNAL {b64('u')}")
    assert stage.auth.requests[-1].common == _raw("external", "imap", attempt=2)


@pytest.mark.ours("nginx loses the digest (CVE-2026-27651 is of this kind)")
def test_a_wait_keeps_the_digest(stage: Stage) -> None:
    answers = iter([{"Auth-Status": "WAIT", "Auth-Wait": "1"}, {"Auth-Status": "No"}])
    stage.auth.decide = lambda _: next(answers)
    with stage.imap() as talk:
        _cram_md5(talk, "a AUTHENTICATE CRAM-MD5")
    first, second = stage.auth.requests
    assert first.raw == second.raw
    assert first["Auth-Pass"] == ZEROS
