"""A probe believes a mail server whom a node believes, and says why not in the node's words."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from appliance.routing.health.tls import Distrusted, NoTls, Policy
from proxycore.contract.tls import DATA
from tests.support.pki import Authority, Pair, self_signed
from tests.unit.proxycore.net.tls.ends import (
    AUTHORITY,
    SERVER,
    back_context,
    back_settings,
    front_context,
    is_open,
    joined,
    pair,
)
from tests.unit.proxycore.net.tls.test_back import pin

NAME = "mail.example.com"
_WITHIN_S = 20.0


class Case(NamedTuple):
    """A mail server and a policy."""

    server: Pair
    policy: dict[str, Any]
    name: str = NAME


def _cases() -> Iterator[tuple[str, Case]]:
    own, root, revoking = self_signed(NAME), Authority("Root"), Authority("Revoking")
    below = Authority("Below", Authority("Middle", root)).issue(NAME)
    good, bad = revoking.issue(NAME), revoking.issue(NAME)
    revoking.revoke(bad)
    listed = {
        "proxy_ssl_trusted_certificate": DATA + revoking.pem,
        "proxy_ssl_crl": DATA + revoking.revocation_list(),
    }
    bundle = {"proxy_ssl_trusted_certificate": DATA + root.pem}
    yield "good", Case(SERVER, {})
    yield "another name", Case(SERVER, {}, "other.example.com")
    yield "an address", Case(AUTHORITY.issue("192.0.2.7"), {}, "192.0.2.7")
    yield "another address", Case(AUTHORITY.issue("192.0.2.7"), {}, "192.0.2.8")
    yield "a partial wildcard", Case(AUTHORITY.issue("m*.example.com"), {})
    yield "expired", Case(AUTHORITY.issue(NAME, days=-2), {})
    yield "not valid yet", Case(AUTHORITY.issue(NAME, since_days=5, days=9), {})
    yield "self-signed", Case(own, {})
    yield "self-signed and known", Case(own, {"proxy_ssl_trusted_certificate": DATA + own.pem})
    yield "a stranger's", Case(Authority("Stranger").issue(NAME), {})
    yield "unknown to the system", Case(SERVER, {"proxy_ssl_trusted_certificate": ""})
    yield "revoked", Case(bad, listed)
    yield "not revoked", Case(good, listed)
    yield "no list", Case(SERVER, {"proxy_ssl_crl": DATA + revoking.revocation_list()})
    yield "a long chain", Case(below, bundle)
    yield "too long a chain", Case(below, {**bundle, "proxy_ssl_verify_depth": 1})
    yield "a client's", Case(AUTHORITY.issue(NAME, client=True), {})
    yield "pinned", Case(own, {"proxy_ssl_pins": (pin(own),)}, "whatever.example.com")
    yield "another is pinned", Case(SERVER, {"proxy_ssl_pins": (pin(own),)})
    yield "nobody is verified", Case(own, {"proxy_ssl_verify": False}, "x.example.com")


CASES = dict(_cases())


@contextmanager
def _mail_server(
    server: Pair, directory: Path, *, client: Authority | None = None
) -> Iterator[socket.socket]:
    """Give the near end of a connection to a mail server that greets in TLS."""
    certificate, key = server.write(directory, "server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    if client is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=client.pem)
    near, far = socket.socketpair()

    def serve() -> None:
        with suppress(OSError), context.wrap_socket(far, server_side=True) as sealed:
            sealed.sendall(b"* OK ready\r\n")
            sealed.recv(1)

    far.settimeout(_WITHIN_S)
    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield near
    finally:
        near.close()
        thread.join()
        far.close()


def _probed(case: Case, directory: Path) -> str:
    """Give why the mail server is not believed; empty when it is."""
    policy = Policy(back_settings(**case.policy))
    with _mail_server(case.server, directory) as near:
        try:
            sealed = policy.seal(case.name, near, lambda: _WITHIN_S)
        except Distrusted as fault:
            return str(fault)
        with closing(sealed):
            assert sealed.recv(100) == b"* OK ready\r\n"
    return ""


@pytest.mark.parametrize("name", CASES)
def test_a_probe_says_what_a_node_says(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    front, back = joined(front_context(case.server), back_context(**case.policy), case.name)
    if is_open(front, back):
        assert _probed(case, tmp_path) == ""
    else:
        assert back.failure is not None
        assert _probed(case, tmp_path) == back.failure.reason


def test_our_own_certificate_is_shown_to_who_asks(tmp_path: Path) -> None:
    own = pair(AUTHORITY.issue("proxy.example.com", client=True))
    shown = {
        "proxy_ssl_certificate": own.ssl_certificate,
        "proxy_ssl_certificate_key": own.ssl_certificate_key,
    }
    with _mail_server(SERVER, tmp_path, client=AUTHORITY) as near:
        sealed = Policy(back_settings(**shown)).seal(NAME, near, lambda: _WITHIN_S)
        with closing(sealed):
            assert sealed.recv(100) == b"* OK ready\r\n"
    with _mail_server(SERVER, tmp_path, client=AUTHORITY) as near:
        sealed = Policy(back_settings()).seal(NAME, near, lambda: _WITHIN_S)
        # of TLS 1.3, the mail server hears only now that there is none
        with closing(sealed), pytest.raises(NoTls, match="it wants a certificate"):
            sealed.recv(100)


@pytest.mark.parametrize(
    "policy",
    [
        {"proxy_ssl_protocols": ("TLSv1.3",)},
        {"proxy_ssl_protocols": ("TLSv1.2",), "proxy_ssl_ciphers": "AES128-GCM-SHA256"},
    ],
)
def test_protocols_and_ciphers_of_the_policy_hold(policy: dict[str, Any], tmp_path: Path) -> None:
    certificate, key = SERVER.write(tmp_path, "server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    near, far = socket.socketpair()

    def serve() -> None:
        with suppress(OSError):
            context.wrap_socket(far, server_side=True)

    thread = threading.Thread(target=serve)
    thread.start()
    with near, pytest.raises(NoTls, match="alert"):
        Policy(back_settings(**policy)).seal(NAME, near, lambda: _WITHIN_S)
    thread.join()
    far.close()


def test_who_answers_in_clear_is_told_from_who_is_not_believed() -> None:
    near, far = socket.socketpair()
    far.sendall(b"* OK IMAP4rev1 ready\r\n")
    with near, far, pytest.raises(NoTls, match="wrong version number: it answers in clear"):
        Policy(back_settings()).seal(NAME, near, lambda: _WITHIN_S)
