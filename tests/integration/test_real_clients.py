"""Mail programs from Debian log in over IMAP, POP3 and SMTP through the proxy, to real servers.

curl is in test_real_mail.py.
"""

import hashlib
import hmac
from collections.abc import Generator, Mapping
from pathlib import Path

import pytest

from tests.support import cast, clients, mail_programs
from tests.support.authserver import REFUSED, Asked, AuthServer
from tests.support.fronts import Front
from tests.support.postfix import Postfix
from tests.support.proxycore import Proxycore
from tests.support.wait import eventually

ALICE, ZOE = cast.ALICE, cast.ZOE

_CHALLENGING = """\
worker_processes 1;
error_log @DIR@/logs/error.log info;
events {{
}}
mail {{
    server_name postroad.test;
    auth_http 127.0.0.1:{auth}/auth;
    server {{ listen 127.0.0.1:{imap}; protocol imap; imap_auth cram-md5; }}
    server {{ listen 127.0.0.1:{pop3}; protocol pop3; pop3_auth apop cram-md5; }}
    server {{ listen 127.0.0.1:{smtp}; protocol smtp; smtp_auth cram-md5; }}
}}
"""


@pytest.fixture(scope="module")
def challenging(auth_service: AuthServer) -> Generator[Front, None, None]:
    """A proxy whose clients never say their password, and an auth service that knows it."""
    front = Front.on_free_ports()

    def decide(asked: Asked) -> Mapping[str, str]:
        password = cast.PASSWORDS.get(asked.login, "")
        salt = asked.headers["Auth-Salt"].encode()
        proofs = {
            "apop": hashlib.md5(salt + password.encode()).hexdigest(),
            "cram-md5": hmac.new(password.encode(), salt, "md5").hexdigest(),
        }
        if proofs.get(asked.headers["Auth-Method"]) != asked.password:
            return REFUSED
        known = Asked(asked.login, password, asked.protocol, asked.attempt, asked.path, {})
        return {**auth_service.decide(known), "Auth-Pass": password}

    ports = {"imap": front.imap, "pop3": front.pop3, "smtp": front.smtp}
    with AuthServer(decide) as auth:
        config = _CHALLENGING.format(auth=auth.port, **ports)
        with Proxycore.standalone(config, front.ports):
            yield front


def _said(done: mail_programs.Done) -> str:
    return (done.stdout + done.stderr).decode("utf-8", "replace")


@pytest.mark.parametrize("login", [ALICE, ZOE])
@pytest.mark.parametrize("protocol", ["imap", "pop3"])
def test_fetchmail_fetches(front: Front, tmp_path: Path, protocol: str, login: str) -> None:
    port = getattr(front, protocol)
    password = cast.PASSWORDS[login]
    done, fetched = mail_programs.fetchmail(tmp_path, protocol, port, login, password)
    assert done.returncode == 0, _said(done)
    assert f"Subject: Welcome to {cast.HOST_OF[login]}" in fetched


def test_fetchmail_is_told_about_a_wrong_password(front: Front, tmp_path: Path) -> None:
    done, fetched = mail_programs.fetchmail(tmp_path, "pop3", front.pop3, ALICE, "wrong")
    assert done.returncode == 3, _said(done)  # its status for a refused login
    assert fetched == ""


@pytest.mark.parametrize("mechanism", ["LOGIN", "PLAIN"])
def test_mbsync_copies_the_inbox(front: Front, tmp_path: Path, mechanism: str) -> None:
    password = cast.PASSWORDS[ALICE]
    done, messages = mail_programs.mbsync(
        tmp_path, front.imap, ALICE, password, mechanism=mechanism
    )
    assert done.returncode == 0, _said(done)
    assert any(b"Subject: Welcome to mailhost01" in message for message in messages)


@pytest.mark.parametrize("auth", ["plain", "login"])
def test_msmtp_sends(front: Front, mta: Postfix, tmp_path: Path, auth: str) -> None:
    subject = f"sent by msmtp {auth} through {front.smtp}"
    message = clients.letter(subject).as_bytes()
    done = mail_programs.msmtp(
        tmp_path, front.smtp, ALICE, cast.PASSWORDS[ALICE], message, auth=auth
    )
    assert done.returncode == 0, _said(done)
    assert mta.wait_for_message(subject.encode())


def test_mutt_sends_and_keeps_a_copy(front: Front, mta: Postfix, tmp_path: Path) -> None:
    text = f"written in mutt for {front.smtp}\n".encode()
    with clients.imap(front.imap, ZOE, cast.PASSWORDS[ZOE]) as client:
        client.create("Sent")
        try:
            done = mail_programs.mutt(
                tmp_path, front.smtp, front.imap, ZOE, cast.PASSWORDS[ZOE], text
            )
            assert done.returncode == 0, _said(done)
            assert b"Subject: mutt" in mta.wait_for_message(text.strip())
            client.select("Sent", readonly=True)
            assert client.search(None, "BODY", f'"{text.decode().strip()}"')[1] != [b""]
            client.unselect()
        finally:
            client.delete("Sent")


@pytest.mark.parametrize("auth", ["PLAIN", "LOGIN"])
def test_swaks_sends_and_postfix_learns_who_and_from_where(
    front: Front, mta: Postfix, tmp_path: Path, auth: str
) -> None:
    subject = f"sent by swaks {auth} through {front.smtp}"
    # another address than the proxy's own, so that Postfix can only know it by XCLIENT
    done = mail_programs.swaks(
        *(tmp_path, front.smtp, ALICE, cast.PASSWORDS[ALICE], subject),
        *("--local-interface", "127.0.0.2"),
        auth=auth,
    )
    assert done.returncode == 0, _said(done)
    message = mta.wait_for_message(subject.encode())
    assert b"from laptop.example (unknown [127.0.0.2])" in message
    queue_id = _queue_id(message)
    line = eventually(lambda: _client_line(mta, queue_id), "the login in Postfix's log")
    assert "client=unknown[127.0.0.2]" in line
    assert f"sasl_username={ALICE}" in line


def test_swaks_is_told_about_a_wrong_password(front: Front, tmp_path: Path) -> None:
    done = mail_programs.swaks(tmp_path, front.smtp, ALICE, "wrong", "never sent")
    assert done.returncode == 28, _said(done)  # its status for a refused login
    assert "535 5.7.0 Invalid login or password" in _said(done)


# --- challenges: the password never leaves the client ---------------------------------------------


@pytest.mark.parametrize(
    ("protocol", "auth"), [("imap", "cram-md5"), ("pop3", "cram-md5"), ("apop", "any")]
)
def test_fetchmail_answers_a_challenge(
    challenging: Front, tmp_path: Path, protocol: str, auth: str
) -> None:
    port = challenging.imap if protocol == "imap" else challenging.pop3
    done, fetched = mail_programs.fetchmail(
        tmp_path, protocol, port, ZOE, cast.PASSWORDS[ZOE], auth=auth
    )
    assert done.returncode == 0, _said(done)
    assert f"Subject: Welcome to {cast.HOST_OF[ZOE]}" in fetched


def test_mbsync_answers_a_challenge(challenging: Front, tmp_path: Path) -> None:
    done, messages = mail_programs.mbsync(
        tmp_path, challenging.imap, ALICE, cast.PASSWORDS[ALICE], mechanism="CRAM-MD5"
    )
    assert done.returncode == 0, _said(done)
    assert any(b"Subject: Welcome to mailhost01" in message for message in messages)


def test_msmtp_answers_a_challenge(challenging: Front, mta: Postfix, tmp_path: Path) -> None:
    message = clients.letter("sent by msmtp after a challenge").as_bytes()
    done = mail_programs.msmtp(
        tmp_path, challenging.smtp, ALICE, cast.PASSWORDS[ALICE], message, auth="cram-md5"
    )
    assert done.returncode == 0, _said(done)
    assert mta.wait_for_message(b"sent by msmtp after a challenge")


def test_swaks_answers_a_challenge(challenging: Front, mta: Postfix, tmp_path: Path) -> None:
    subject = "sent by swaks after a challenge"
    done = mail_programs.swaks(
        *(tmp_path, challenging.smtp, ALICE, cast.PASSWORDS[ALICE], subject), auth="CRAM-MD5"
    )
    assert done.returncode == 0, _said(done)
    assert mta.wait_for_message(subject.encode())


def test_a_wrong_answer_to_a_challenge_is_refused(challenging: Front, tmp_path: Path) -> None:
    done, fetched = mail_programs.fetchmail(
        tmp_path, "imap", challenging.imap, ZOE, "wrong", auth="cram-md5"
    )
    assert done.returncode == 3, _said(done)
    assert fetched == ""


def _queue_id(message: bytes) -> str:
    received = message.partition(b" id ")[2]
    return received.split()[0].rstrip(b";").decode()


def _client_line(mta: Postfix, queue_id: str) -> str:
    lines = mta.log().splitlines()
    return next((line for line in lines if f"{queue_id}: client=" in line), "")
