"""A login whose password nobody here knows: the mail server verifies it, over SMTP as well.

Postfix believes our XCLIENT, so one that named a login nobody has verified would relay for anybody.
"""

import os
import smtplib
from collections.abc import Generator

import pytest

from tests.support import cast, clients
from tests.support.appliance import Appliance
from tests.support.dovecot import Dovecot
from tests.support.nginx import Nginx
from tests.support.ports import free_port
from tests.support.postfix import Postfix
from tests.support.talk import Smtp, plain
from tests.support.wait import eventually

GUEST, KNOWN = "guest", "known"
"""Both have a mailbox; the appliance has a password of one of them."""

PASSWORDS = {name: f"{cast.CANARY}-{name}" for name in (GUEST, KNOWN)}
DOMAIN = "octets.test"
_ALL = "".join(chr(octet) for octet in range(256) if octet not in b"\r\n\0")
_HEADER, _SECRET = "X-Submission-Key", f"{cast.CANARY}-submission"


@pytest.fixture(scope="module")
def submission() -> Generator[Postfix, None, None]:
    """Takes mail from nobody who did not authenticate, or of whom XCLIENT does not say so."""
    if os.getuid() != 0:
        pytest.skip("starting a Postfix takes root")
    with (
        Dovecot("submission", PASSWORDS) as dovecot,
        Postfix("submission", sasl=dovecot, sasl_required=True) as postfix,
    ):
        yield postfix


@pytest.fixture(scope="module")
def prepared(appliance: Appliance, submission: Postfix) -> Appliance:
    """Both go to the submission server; the appliance knows one password."""
    appliance.add_accounts({KNOWN: PASSWORDS[KNOWN]})
    appliance.python(
        "from appliance.routing import services\n"
        "from appliance.routing.choices import HostTls, MatchKind\n"
        "from appliance.routing.models import MailHost, Route\n"
        "host = services.save_mail_host(MailHost(name='submission', address='127.0.0.1',"
        f" smtp_port={submission.port}, smtp_tls=HostTls.NONE))\n"
        f"for login in {(GUEST, KNOWN)!r}:\n"
        "    services.save_route("
        "Route(match=MatchKind.USER, value=login, position=1, mail_host=host))\n"
        "services.save_route("
        f"Route(match=MatchKind.DOMAIN, value={DOMAIN!r}, position=1, mail_host=host))"
    )
    return appliance


def _send(front_port: int, login: str, password: str, subject: str) -> None:
    with clients.smtp(front_port, login, password) as client:
        client.send_message(clients.letter(subject))


def _login_line(postfix: Postfix, login: str) -> str:
    lines = postfix.log().splitlines()
    return next(
        (line for line in lines if f", sasl_username={login}" in line and "client=" in line), ""
    )


def test_a_wrong_password_is_not_let_in(prepared: Appliance, submission: Postfix) -> None:
    for login in (GUEST, KNOWN):
        with pytest.raises((smtplib.SMTPAuthenticationError, smtplib.SMTPServerDisconnected)):
            _send(prepared.front.smtp, login, "wrong", "relayed for a stranger")
    assert "sasl_method=XCLIENT" not in submission.log()


def test_the_right_one_is_let_in_by_the_mail_server(
    prepared: Appliance, submission: Postfix
) -> None:
    _send(prepared.front.smtp, GUEST, PASSWORDS[GUEST], "sent by a guest")
    assert submission.wait_for_message(b"sent by a guest")
    line = eventually(lambda: _login_line(submission, GUEST), "the login in Postfix's log")
    assert "sasl_method=PLAIN" in line


def test_xclient_names_a_login_that_was_verified_here(
    prepared: Appliance, submission: Postfix
) -> None:
    _send(prepared.front.smtp, KNOWN, PASSWORDS[KNOWN], "sent by somebody known")
    assert submission.wait_for_message(b"sent by somebody known")
    line = eventually(lambda: _login_line(submission, KNOWN), "the login in Postfix's log")
    assert "sasl_method=XCLIENT" in line


def test_any_octets_reach_the_mail_server_which_refuses_them(
    prepared: Appliance, submission: Postfix
) -> None:
    ascii_login = f"{_ALL[:125]}@{DOMAIN}"
    for login in (ascii_login, f"x@{DOMAIN}", GUEST, KNOWN):
        with Smtp.greeted(prepared.front.smtp) as talk:
            assert talk.ask(f"AUTH PLAIN {plain(login, _ALL)}").startswith("535 5.7."), login
    with Smtp.greeted(prepared.front.smtp) as talk:
        # no UTF-8, so no route but the last one's: to a mail server that offers no AUTH
        assert talk.ask(f"AUTH PLAIN {plain(_ALL, _ALL)}").startswith("503 5.5.1")
    for end in ("\r", "\n", "\0"):
        with Smtp.greeted(prepared.front.smtp) as talk:
            assert talk.ask(f"AUTH PLAIN {plain(GUEST, f'a{end}b')}")[:1] == "5"
    assert "Traceback" not in prepared.log()


# --- somebody else's proxy ------------------------------------------------------------------------


def _nginx(appliance: Appliance, port: int, *, proxy_smtp_auth: str) -> Nginx:
    mail = f"""
        server_name postroad.test;
        auth_http 127.0.0.1:{appliance.auth_port}/auth_http;
        auth_http_header {_HEADER} "{_SECRET}";
        server {{
            listen 127.0.0.1:{port};
            protocol smtp;
            smtp_auth plain;
            proxy_smtp_auth {proxy_smtp_auth};
        }}
    """
    return Nginx(mail, [port])


def _answer(port: int, login: str, password: str) -> str:
    with Smtp.greeted(port) as talk:
        return talk.ask(f"AUTH PLAIN {plain(login, password)}")


def test_a_proxy_that_may_not_obey_is_told_of_verified_logins_only(prepared: Appliance) -> None:
    prepared.allow_auth_callers(_HEADER, _SECRET)
    port = free_port()
    with _nginx(prepared, port, proxy_smtp_auth="off"):
        for login, password in ((GUEST, PASSWORDS[GUEST]), (GUEST, "x"), (KNOWN, "x")):
            assert _answer(port, login, password) == "535 5.7.0 Invalid login or password"
        assert _answer(port, KNOWN, PASSWORDS[KNOWN]) == "235 2.0.0 OK"


def test_or_of_all_if_the_operator_says_that_it_logs_in_at_mail_servers(
    prepared: Appliance,
) -> None:
    prepared.allow_auth_callers(_HEADER, _SECRET, proxy_smtp_auth=True)
    port = free_port()
    with _nginx(prepared, port, proxy_smtp_auth="on"):
        assert _answer(port, GUEST, PASSWORDS[GUEST]) == "235 2.0.0 OK"
        assert _answer(port, GUEST, "wrong") == "451 4.3.2 Internal server error"
        assert _answer(port, KNOWN, PASSWORDS[KNOWN]) == "235 2.0.0 OK"
