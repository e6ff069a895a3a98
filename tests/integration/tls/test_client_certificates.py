"""``ssl_verify_client`` in the three protocols, on both kinds of listener: who is told what."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.tls.stage import MODES, PROTOCOLS, Block, daemon
from tests.support.authserver import REFUSED, AuthServer
from tests.support.openssl import Door, Shown
from tests.support.pki import Authority, self_signed
from tests.support.proxycore import Proxycore
from tests.support.talk import plain

_RULES = ("on", "optional", "optional_no_ca")
_NONE = "No required SSL certificate"
_BAD = "SSL certificate error"
_ASKED = REFUSED["Auth-Status"]
"""What the auth service answers those that may try to log in."""
_TOLD = {"imap": "* BYE {}", "pop3": "-ERR {}", "smtp": "421 4.7.1 {}"}

_VERDICTS = {
    ("on", ""): _NONE,
    ("on", "good"): "",
    ("on", "selfsigned"): _BAD,
    ("on", "foreign"): _BAD,
    ("on", "expired"): _BAD,
    ("on", "revoked"): _BAD,
    ("optional", ""): "",
    ("optional", "good"): "",
    ("optional", "selfsigned"): _BAD,
    ("optional", "foreign"): _BAD,
    ("optional", "expired"): _BAD,
    ("optional", "revoked"): _BAD,
    ("optional_no_ca", ""): "",
    ("optional_no_ca", "good"): "",
    ("optional_no_ca", "selfsigned"): "",
    ("optional_no_ca", "foreign"): "",
    ("optional_no_ca", "expired"): _BAD,
}

_VERIFY = {
    "": "NONE",
    "good": "SUCCESS",
    "selfsigned": "FAILED:self-signed certificate",
    "foreign": "FAILED:unable to verify the first certificate",
}
"""What the auth service is told of those that may log in."""

_LOGIN = {
    "imap": "a LOGIN alice wrong\r\n",
    "pop3": "USER alice\r\nPASS wrong\r\n",
    "smtp": f"EHLO laptop\r\nAUTH PLAIN {plain('alice', 'wrong')}\r\n",
}


def write(directory: Path) -> None:
    clients = Authority("Clients")
    (directory / "clients.pem").write_text(clients.pem)
    revoked = clients.issue("revoked", client=True)
    clients.revoke(revoked)
    (directory / "crl.pem").write_text(clients.revocation_list())
    for name, pair in (
        ("good", clients.issue("good", client=True)),
        ("expired", clients.issue("expired", client=True, days=-2)),
        ("revoked", revoked),
        ("selfsigned", self_signed("selfsigned")),
        ("foreign", Authority("Elsewhere").issue("foreign", client=True)),
    ):
        pair.write(directory, name)


@pytest.fixture(scope="module")
def auth() -> Iterator[AuthServer]:
    with AuthServer(lambda _: REFUSED) as serving:
        yield serving


_LISTS = {
    "on": "ssl_crl @DIR@/crl.pem;",
    "optional": "ssl_crl @DIR@/crl.pem;",
    "optional_no_ca": "",
}
"""A stranger's authority has no list of ours, which as in nginx nothing forgives."""

_BLOCKS = {
    (rule, protocol): Block(
        f"ssl_verify_client {rule}; ssl_client_certificate @DIR@/clients.pem;{_LISTS[rule]}",
        protocol,
    )
    for rule in _RULES
    for protocol in PROTOCOLS
}


@pytest.fixture(scope="module")
def proxy(auth: AuthServer) -> Iterator[Proxycore]:
    with daemon(list(_BLOCKS.values()), auth=auth.port, before=write) as running:
        yield running


def met(door: Door, proxy: Proxycore, who: str, version: str) -> Shown:
    files = proxy.directory
    own = ("-cert", f"{files}/{who}.crt", "-key", f"{files}/{who}.key") if who else ()
    return door.s_client(version, *own, say=_LOGIN[door.protocol])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(("rule", "who"), _VERDICTS)
def test_what_a_client_is_told(
    proxy: Proxycore, auth: AuthServer, rule: str, who: str, protocol: str, mode: str
) -> None:
    door, verdict = _BLOCKS[rule, protocol].door(mode), _VERDICTS[rule, who]
    for version in ("-tls1_2", "-tls1_3"):
        auth.asked.clear()
        shown = met(door, proxy, who, version)
        # the handshake itself does not fail: a client may not understand an alert
        assert shown.cipher
        said = _TOLD[protocol].format(verdict) if verdict else _ASKED
        assert said in shown.text
        assert [one.headers.get("Auth-SSL-Verify") for one in auth.asked] == (
            [] if verdict else [_VERIFY[who]]
        )
