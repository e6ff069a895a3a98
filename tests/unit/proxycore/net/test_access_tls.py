"""Records of sessions with TLS; a handshake that hangs takes a place before login."""

from pathlib import Path

import pytest

from proxycore.contract.access import MOST_FAULT_LETTERS
from proxycore.contract.reasons import CloseReason
from proxycore.contract.tls import BackTls
from tests.unit.proxycore.net.access_sink import records_of
from tests.unit.proxycore.net.house import House
from tests.unit.proxycore.net.sealed import AUTHORITY, CLEAR, NAME, Sealed, server_context, submit
from tests.unit.proxycore.net.test_prelogin import closed, counts, gone, limit
from tests.unit.proxycore.net.tls.house import client_of, serve
from tests.unit.proxycore.net.tls.test_client_certificates import met


@pytest.mark.parametrize("logged_in", [True, False])
def test_what_a_handshake_with_the_client_agreed_on(house: House, logged_in: bool) -> None:
    records = records_of(house)
    serve(house, implicit=True)
    client = client_of(house).shake()
    client.expect(b"ready\r\n")
    if logged_in:
        client.send(b"a1 LOGIN alice secret\r\n")
        house.asked()[0].send(house.ok())
        mail = house.mail_login()
        client.expect(b"a1 OK logged in\r\n")
        mail.close()
    client.close()
    gone(house)
    record = records.one()
    assert record.reason == ("done" if logged_in else "client_closed")
    tls = record.front_tls
    assert tls is not None
    assert (tls.protocol, tls.resumed, tls.verify) == ("TLSv1.3", False, "")
    assert tls.cipher.startswith("TLS_")
    assert record.ms.tls is not None
    assert record.back_tls is None


def test_a_refused_handshake_has_its_record_and_one_line(house: House) -> None:
    records = records_of(house)
    serve(house, implicit=True)
    client_of(house).send_raw(b"GET / HTTP/1.0\r\n\r\n").expect_end()
    client_of(house).begin().close()
    house.pump(lambda: len(records.lines) == 2, "both records")
    gone(house)
    refused, left = records.all()
    assert (refused.reason, refused.front_tls, refused.ms.tls) == ("tls_failed", None, None)
    assert "http request" in refused.fault
    assert (left.reason, left.fault) == ("client_closed", "")
    assert house.log.text().count("client closed connection") == 0


@pytest.mark.parametrize("mode", ["implicit", "starttls"])
@pytest.mark.parametrize("is_good", [True, False])
def test_what_a_handshake_with_the_mail_server_agreed_on(
    house: House, mode: str, is_good: bool
) -> None:
    records = records_of(house)
    trusted = "data:" + AUTHORITY.pem
    tls = BackTls(proxy_ssl=mode, proxy_ssl_name=NAME, proxy_ssl_trusted_certificate=trusted)
    house.serve(back_tls=tls)
    client = submit(house)
    mail = house.accept(house.mail)
    CLEAR["imap"][mode](mail)
    sealed = Sealed(mail, server_context()).shake()
    if mode == "implicit":
        sealed.send(b"* OK hi\r\n")
    sealed.expect(b"\r\n")
    sealed.send(b"a1 OK in\r\n" if is_good else b"a1 NO out\r\n")
    client.expect(b"OK in\r\n" if is_good else b"error\r\n")
    mail.close()
    client.close()
    gone(house)
    record = records.one()
    assert record.reason == ("done" if is_good else "backend_rejected")
    assert record.front_tls is None
    assert record.back_tls is not None
    assert (record.back_tls.sni, record.back_tls.verify) == (NAME, "SUCCESS")
    assert record.fault == ("" if is_good else 'upstream sent invalid response: "a1 NO out"')


@pytest.mark.parametrize("mode", ["implicit", "starttls"])
def test_why_a_mail_server_was_not_believed(house: House, mode: str) -> None:
    records = records_of(house)
    trusted = "data:" + AUTHORITY.pem
    tls = BackTls(proxy_ssl=mode, proxy_ssl_name=NAME, proxy_ssl_trusted_certificate=trusted)
    house.serve(back_tls=tls)
    client = submit(house)
    mail = house.accept(house.mail)
    CLEAR["imap"][mode](mail)
    # a name that would end a line, colour a terminal, and never end
    other = AUTHORITY.issue("other.example.com", "\x1b[31m\r\n" + ".example" * 100)
    assert Sealed(mail, server_context(other)).shake().fault
    client.expect_end()
    gone(house)
    record = records.one()
    assert record.reason == "backend_untrusted"
    wanted = f'upstream SSL certificate verify error: the certificate is not for "{NAME}" but for '
    assert record.fault.startswith(wanted)
    assert record.fault.isprintable()
    assert len(record.fault) <= MOST_FAULT_LETTERS * 4
    assert record.back_tls is None


def test_why_a_client_was_not_believed(house: House, tmp_path: Path) -> None:
    records = records_of(house)
    met(house, tmp_path, None).expect_end()
    gone(house)
    record = records.one()
    assert (record.reason, record.fault) == (
        "client_certificate",
        "client sent no required SSL certificate",
    )


def test_a_handshake_that_hangs_counts_and_one_too_many_is_told_nothing(house: House) -> None:
    serve(house, implicit=True)
    limit(house, each=3)
    hanging = [client_of(house), client_of(house).begin(), client_of(house)]
    hanging[2].send_raw(b"\x16\x03\x01")
    house.pump(lambda: counts(house) == {"127.0.0.1": 3}, "three of them")
    # our greeting would not be TLS
    assert client_of(house).expect_end() == b""
    assert closed(house, CloseReason.TOO_MANY_SESSIONS) == 1
    for client in hanging:
        client.close()
    gone(house)
