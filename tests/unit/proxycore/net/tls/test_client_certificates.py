"""Certificates of clients: complained of in the mail protocol, and told to the auth service."""

from pathlib import Path

import pytest

from proxycore.contract.authhttp import unescape
from proxycore.contract.reasons import CloseReason
from proxycore.contract.stats import SESSIONS_CLOSED, series
from tests.support.pki import Pair, self_signed
from tests.unit.proxycore.net.house import House
from tests.unit.proxycore.net.tls.ends import AUTHORITY, front_settings
from tests.unit.proxycore.net.tls.house import TlsPeer, client_of, serve

GOOD = AUTHORITY.issue("joe@example.com", client=True)
BAD = self_signed("eve@example.com")
REPLY = {"imap": b"* BYE %b\r\n", "pop3": b"-ERR %b\r\n", "smtp": b"421 4.7.1 %b\r\n"}
STARTTLS = {"imap": b"1 STARTTLS\r\n", "pop3": b"STLS\r\n", "smtp": b"STARTTLS\r\n"}


def met(
    house: House,
    directory: Path,
    given: Pair | None,
    *,
    protocol: str = "imap",
    implicit: bool = True,
    verify: str = "on",
    auth: dict[str, object] | None = None,
) -> TlsPeer:
    front = front_settings(
        starttls="on",
        ssl_verify_client=verify,
        ssl_client_certificate="data:" + AUTHORITY.pem,
    )
    serve(house, protocol, implicit=implicit, front=front, auth=auth)
    client = client_of(house)
    if not implicit:
        client.expect(b"ready\r\n")
        client.send(STARTTLS[protocol]).expect(b"\r\n")
    return client.shake(identity=(given, directory) if given else None)


@pytest.mark.parametrize(
    ("given", "text", "message"),
    [
        (
            BAD,
            b"SSL certificate error",
            "client SSL certificate verify error: (18:self-signed certificate)",
        ),
        (None, b"No required SSL certificate", "client sent no required SSL certificate"),
    ],
)
@pytest.mark.parametrize("implicit", [True, False])
@pytest.mark.parametrize("protocol", list(REPLY))
def test_what_a_client_hears_without_a_good_certificate(
    house: House,
    tmp_path: Path,
    protocol: str,
    implicit: bool,
    given: Pair | None,
    text: bytes,
    message: str,
) -> None:
    client = met(house, tmp_path, given, protocol=protocol, implicit=implicit)
    assert client.expect_end() == REPLY[protocol] % text
    reason = series(SESSIONS_CLOSED, "main", CloseReason.CLIENT_CERTIFICATE.value)
    house.pump(lambda: house.engine.ledger.counts.get(reason) == 1, "counted")
    assert message in house.log.text()


def question(house: House, client: TlsPeer) -> dict[str, bytes]:
    client.expect(b"ready\r\n")
    client.send(b"a1 LOGIN joe secret\r\n")
    _, asked = house.asked()
    lines = (line.partition(b": ") for line in asked.split(b"\r\n")[1:] if line)
    return {name.decode(): value for name, _, value in lines}


def test_the_auth_service_is_told_of_a_certificate(house: House, tmp_path: Path) -> None:
    told = question(house, met(house, tmp_path, GOOD))
    assert told["Auth-SSL"] == b"on"
    assert told["Auth-SSL-Verify"] == b"SUCCESS"
    assert told["Auth-SSL-Subject"] == b"CN=joe@example.com"
    assert told["Auth-SSL-Issuer"] == b"CN=Test Authority"
    assert told["Auth-SSL-Serial"] == b"%X" % GOOD.certificate.serial_number
    assert len(told["Auth-SSL-Fingerprint"]) == 40
    assert "Auth-SSL-Cert" not in told


def test_the_certificate_itself_is_told_where_that_is_wanted(house: House, tmp_path: Path) -> None:
    client = met(house, tmp_path, GOOD, auth={"pass_client_cert": True})
    assert unescape(question(house, client)["Auth-SSL-Cert"]).decode() == GOOD.pem


@pytest.mark.parametrize(("given", "verify"), [(None, b"NONE"), (BAD, b"FAILED:")])
def test_a_forgiven_certificate_is_told_as_what_it_is(
    house: House, tmp_path: Path, given: Pair | None, verify: bytes
) -> None:
    told = question(house, met(house, tmp_path, given, verify="optional_no_ca"))
    assert told["Auth-SSL-Verify"].startswith(verify)
    assert ("Auth-SSL-Subject" in told) == (given is not None)


def test_a_certificate_is_not_kept_in_memory(house: House, tmp_path: Path) -> None:
    client = met(house, tmp_path, GOOD)
    client.expect(b"ready\r\n")
    (driver,) = house.engine._context.drivers.values()
    tls = driver._front_tls  # type: ignore[union-attr]
    assert tls is not None
    assert tls.facts is not None
    assert tls.facts.peer is None


def test_resumption_does_not_lose_the_certificate(house: House, tmp_path: Path) -> None:
    first = met(house, tmp_path, GOOD)
    first.expect(b"ready\r\n")
    assert first.tls is not None
    again = client_of(house).shake(context=first.tls.context, session=first.tls.tls.session)
    told = question(house, again)
    assert again.tls is not None
    assert again.tls.tls.session_reused
    assert told["Auth-SSL-Subject"] == b"CN=joe@example.com"
    assert told["Auth-SSL-Verify"] == b"SUCCESS"
