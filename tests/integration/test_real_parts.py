"""The fixtures themselves: each real program does what the tests rely on."""

import imaplib
import poplib
import socket

import pytest

from tests.support import cast, clients, ports
from tests.support.authserver import AuthServer
from tests.support.dovecot import Dovecot
from tests.support.nginx import Nginx
from tests.support.postfix import Postfix


def test_a_reserved_port_is_free_and_not_given_twice() -> None:
    first, second = ports.free_port(), ports.free_port()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", first))
    assert first != second
    ports.release(first)
    ports.release(second)


def test_each_dovecot_shows_its_own_name_by_imap(mailhost01: Dovecot, mailhost02: Dovecot) -> None:
    for host in (mailhost01, mailhost02):
        with clients.imap(host.imap_port, cast.ALICE, cast.PASSWORDS[cast.ALICE]) as client:
            assert clients.imap_host(client) == host.name


def test_each_dovecot_shows_its_own_name_by_pop3(mailhost01: Dovecot, mailhost02: Dovecot) -> None:
    for host in (mailhost01, mailhost02):
        with clients.pop3(host.pop3_port, cast.ZOE, cast.PASSWORDS[cast.ZOE]) as client:
            assert clients.pop3_host(client) == host.name


def test_dovecot_refuses_a_wrong_password(mailhost01: Dovecot) -> None:
    with clients.imap(mailhost01.imap_port) as client, pytest.raises(imaplib.IMAP4.error):
        client.login(cast.ALICE, "wrong")
    with clients.pop3(mailhost01.pop3_port) as client:
        client.user(cast.ALICE)
        with pytest.raises(poplib.error_proto):
            client.pass_("wrong")


def test_a_message_sent_through_postfix_can_be_read_back(mta: Postfix) -> None:
    with clients.smtp(mta.port) as client:
        client.send_message(clients.letter("straight to the mta"))
    assert b"Carried by post road." in mta.wait_for_message(b"straight to the mta")


def test_postfix_believes_xclient_from_loopback(mta: Postfix) -> None:
    with clients.smtp(mta.port) as client:
        client.ehlo()
        assert "xclient" in client.esmtp_features
        assert client.docmd("XCLIENT", "ADDR=192.0.2.7 NAME=[UNAVAILABLE]")[0] == 220
        client.ehlo()
        client.mail("sender@postroad.test")
        client.rcpt("someone@postroad.test")
        client.data(clients.letter("by xclient").as_bytes())
    assert b"192.0.2.7" in mta.wait_for_message(b"by xclient")


def test_postfix_with_sasl_asks_dovecot_for_the_password(mailhost01: Dovecot) -> None:
    with Postfix("submission", sasl=mailhost01, sasl_required=True) as postfix:
        password = cast.PASSWORDS[cast.ALICE]
        with clients.smtp(postfix.port, cast.ALICE, password) as client:
            client.send_message(clients.letter("authenticated"))
        assert postfix.wait_for_message(b"authenticated")


def test_nginx_mail_in_front_of_dovecot_asks_the_auth_service(
    auth_service: AuthServer, mailhost01: Dovecot, mailhost02: Dovecot
) -> None:
    port = ports.free_port()
    mail = f"""
        auth_http 127.0.0.1:{auth_service.port}/auth;
        server {{ listen 127.0.0.1:{port}; protocol imap; }}
    """
    with Nginx(mail, [port]):
        for login in (cast.ALICE, cast.ZOE):
            with clients.imap(port, login, cast.PASSWORDS[login]) as client:
                assert clients.imap_host(client) == cast.HOST_OF[login]


def test_curl_reads_a_message(mailhost01: Dovecot) -> None:
    user = f"{cast.ZOE}:{cast.PASSWORDS[cast.ZOE]}"
    done = clients.curl(
        f"imap://127.0.0.1:{mailhost01.imap_port}/INBOX;MAILINDEX=1", "--user", user
    )
    assert done.returncode == 0, done.stderr
    assert b"Welcome to mailhost01" in done.stdout
