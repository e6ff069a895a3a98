"""Ordinary mail programs list, fetch and send through the proxy, on real mail servers."""

import imaplib
import poplib
import smtplib
from pathlib import Path

import pytest

from tests.support import cast, clients
from tests.support.dovecot import Dovecot
from tests.support.fronts import Front
from tests.support.postfix import Postfix

ALICE, ZOE = cast.ALICE, cast.ZOE


def _user(login: str) -> str:
    return f"{login}:{cast.PASSWORDS[login]}"


@pytest.mark.parametrize("login", [ALICE, ZOE])
def test_imaplib_lists_and_fetches_on_the_right_mail_server(front: Front, login: str) -> None:
    with clients.imap(front.imap, login, cast.PASSWORDS[login]) as client:
        host = cast.HOST_OF[login]
        assert clients.imap_host(client) == host
        assert "INBOX" in str(client.list()[1])
        assert f"This is {host}.".encode() in clients.fetch(client, "1", "(RFC822)")


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_imap_authenticate_logs_in(front: Front, mechanism: str) -> None:
    login, password = ALICE.encode(), cast.PASSWORDS[ALICE].encode()
    answers = {"PLAIN": [b"\0" + login + b"\0" + password], "LOGIN": [login, password]}[mechanism]
    with clients.imap(front.imap) as client:
        steps = iter(answers)
        client.authenticate(mechanism, lambda _challenge: next(steps))
        assert clients.imap_host(client) == cast.MAILHOST01


def test_imap_append_through_the_proxy_reaches_the_mailbox(front: Front) -> None:
    with clients.imap(front.imap, ZOE, cast.PASSWORDS[ZOE]) as client:
        client.create("Kept")
        client.append("Kept", "", None, clients.letter("kept by append").as_bytes())
        client.select("Kept", readonly=True)
        assert client.search(None, "SUBJECT", '"kept by append"')[1] != [b""]
        client.unselect()
        client.delete("Kept")


@pytest.mark.parametrize("login", [ALICE, ZOE])
def test_poplib_lists_and_fetches_on_the_right_mail_server(front: Front, login: str) -> None:
    with clients.pop3(front.pop3, login, cast.PASSWORDS[login]) as client:
        host = cast.HOST_OF[login]
        assert clients.pop3_host(client) == host
        assert len(client.list()[1]) >= 1
        assert f"This is {host}.".encode() in client.retr(1)[1]


def test_smtplib_sends_a_message_that_arrives(front: Front, mta: Postfix) -> None:
    subject = f"sent by smtplib through {front.smtp}"
    with clients.smtp(front.smtp, ALICE, cast.PASSWORDS[ALICE]) as client:
        client.send_message(clients.letter(subject))
    assert b"Carried by post road." in mta.wait_for_message(subject.encode())


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_the_smtp_server_learns_by_xclient_who_sends(
    front: Front, mta: Postfix, mechanism: str
) -> None:
    subject = f"who sends, {mechanism} {front.smtp}"
    with clients.smtp(front.smtp) as client:
        client.ehlo("laptop.example")
        client.user, client.password = ZOE, cast.PASSWORDS[ZOE]
        client.auth(mechanism, getattr(client, f"auth_{mechanism.lower()}"))
        client.send_message(clients.letter(subject))
    message = mta.wait_for_message(subject.encode())
    assert b"from laptop.example (unknown [127.0.0.1])" in message
    assert mta.log_contains(f"sasl_username={ZOE}")


def test_curl_fetches_by_imap(front: Front) -> None:
    url = f"imap://127.0.0.1:{front.imap}/INBOX;MAILINDEX=1"
    done = clients.curl(url, "--user", _user(ALICE))
    assert done.returncode == 0, done.stderr
    assert b"Subject: Welcome to mailhost01" in done.stdout


def test_curl_fetches_by_pop3(front: Front) -> None:
    done = clients.curl(f"pop3://127.0.0.1:{front.pop3}/1", "--user", _user(ZOE))
    assert done.returncode == 0, done.stderr
    assert b"Subject: Welcome to mailhost02" in done.stdout


def test_curl_sends_by_smtp(front: Front, mta: Postfix, tmp_path: Path) -> None:
    subject = f"sent by curl through {front.smtp}"
    letter = clients.write_letter(tmp_path / "letter.eml", subject)
    done = clients.curl(
        f"smtp://127.0.0.1:{front.smtp}/client.test",
        *("--user", _user(ALICE), "--upload-file", str(letter)),
        *("--mail-from", "sender@postroad.test", "--mail-rcpt", "someone@postroad.test"),
    )
    assert done.returncode == 0, done.stderr
    assert mta.wait_for_message(subject.encode())


def test_a_wrong_password_by_imap_gets_no(front: Front, mailhost01: Dovecot) -> None:
    with clients.imap(front.imap) as client, pytest.raises(imaplib.IMAP4.error, match="Invalid"):
        client.login(ALICE, "wrong")


def test_a_wrong_password_by_pop3_gets_err(front: Front) -> None:
    with clients.pop3(front.pop3) as client:
        client.user(ALICE)
        with pytest.raises(poplib.error_proto, match="-ERR Invalid login or password"):
            client.pass_("wrong")


def test_a_wrong_password_by_smtp_gets_535(front: Front) -> None:
    with clients.smtp(front.smtp) as client:
        client.ehlo()
        client.user, client.password = ALICE, "wrong"
        with pytest.raises(smtplib.SMTPAuthenticationError) as caught:
            client.auth("PLAIN", client.auth_plain)
    assert caught.value.smtp_code == 535
    assert caught.value.smtp_error == b"5.7.0 Invalid login or password"


def test_commands_before_login_are_answered_by_the_proxy(front: Front) -> None:
    with clients.Line(front.imap) as line:
        line.line()
        assert line.ask("a SELECT INBOX") == "a BAD invalid command"
        assert line.ask("b NOOP") == "b OK completed"
    with clients.Line(front.smtp) as line:
        line.line()
        assert line.ask("MAIL FROM:<a@b.test>") == "530 5.7.1 Authentication required"


def test_a_literal_password_logs_in(front: Front) -> None:
    password = cast.PASSWORDS[ALICE]
    with clients.Line(front.imap) as line:
        line.line()
        assert line.ask(f"a LOGIN {ALICE} {{{len(password)}}}").startswith("+ ")
        line.send(password)
        assert " OK " in _tagged(line, "a")


def _tagged(line: clients.Line, tag: str) -> str:
    while not (answer := line.line()).startswith(f"{tag} "):
        assert answer, "the session ended"
    return answer
