"""The front leg against Python's own TLS client."""

import ssl
from pathlib import Path

import pytest

from proxycore.contract.protocol import Protocol
from proxycore.net.tls.endpoint import Phase
from proxycore.net.tls.front import BAD_CERTIFICATE, NO_CERTIFICATE, FrontTlsEndpoint
from proxycore.net.tls.front_context import FrontContext
from proxycore.net.tls.refused import Refused
from tests.support.pki import Authority, Pair, self_signed
from tests.unit.proxycore.net.tls.client import Client
from tests.unit.proxycore.net.tls.ends import (
    AUTHORITY,
    ask_for_new_keys,
    back_context,
    front_context,
    front_end,
    joined,
)

TLS1_2, TLS1_3 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


def met(context: FrontContext, **client: object) -> tuple[FrontTlsEndpoint, Client]:
    front, peer = front_end(context), Client(**client)  # type: ignore[arg-type]
    peer.join(front)
    return front, peer


def test_handshake_tells_what_was_agreed() -> None:
    front, peer = met(front_context(), alpn=["imap"])
    assert front.phase is Phase.OPEN
    assert front.facts is not None
    assert front.facts.protocol == peer.tls.version() == "TLSv1.3"
    assert front.facts.cipher == peer.tls.cipher()[0]  # type: ignore[index]
    assert front.facts.alpn == peer.tls.selected_alpn_protocol() == "imap"
    assert front.facts.server_name == front.server_name == "mail.example.com"
    assert front.facts.verify == ""
    assert front.facts.peer is None
    assert not front.facts.resumed


@pytest.mark.parametrize("size", [1, 16_384, 16_385, 131_072, 1_000_000])
def test_octets_arrive_as_they_were_sent(size: int) -> None:
    front, peer = met(front_context())
    data = bytes(range(256)) * (size // 256 + 1)
    data = data[:size]
    assert peer.hear(front, data) == data
    assert front.feed(peer.send(data)) == data
    assert front.out == b""


def test_plaintext_behind_the_handshake_comes_with_it() -> None:
    front, peer = front_end(front_context()), Client()
    _, hello = peer.feed(b"")
    front.feed(hello)
    _, finished = peer.feed(front.take())
    assert front.feed(finished + peer.send(b"a NOOP\r\n")) == b"a NOOP\r\n"
    assert front.phase is Phase.OPEN


def test_octets_may_come_one_by_one() -> None:
    front, peer = front_end(front_context()), Client()
    _, to_front = peer.feed(b"")
    while to_front or front.out:
        for octet in to_front:
            front.feed(bytes((octet,)))
        _, to_front = peer.feed(front.take())
    got = [front.feed(bytes((octet,))) for octet in peer.send(b"hello")]
    assert b"".join(got) == b"hello"


def test_connections_in_the_middle_of_anything_do_not_mix() -> None:
    context = front_context()
    fronts = [front_end(context) for _ in range(3)]
    peers = [Client() for _ in fronts]
    moving = [peer.feed(b"")[1] for peer in peers]
    while any(moving):
        for i, front in enumerate(fronts):
            half = len(moving[i]) // 2
            front.feed(moving[i][:half])
            fronts[i - 1].feed(b"")
            front.feed(moving[i][half:])
            moving[i] = peers[i].feed(front.take())[1]
    sent = [peer.send(b"%d" % i * 40_000) for i, peer in enumerate(peers)]
    got = [b"", b"", b""]
    for at in range(0, len(sent[0]), 1_000):
        for i, front in enumerate(fronts):
            got[i] += front.feed(sent[i][at : at + 1_000])
    assert got == [b"%d" % i * 40_000 for i in range(3)]


def test_a_connection_that_breaks_leaves_nothing_for_the_next() -> None:
    context = front_context()
    broken, peer = met(context)
    record = peer.send(b"x" * 5_000)
    assert broken.feed(record[:-1] + bytes((record[-1] ^ 1,)) + record) == b""
    assert broken.phase is Phase.FAILED
    assert broken.failure is not None
    assert "bad record mac" in broken.failure.detail
    assert broken.out
    front, other = met(context)
    assert front.feed(other.send(b"mine")) == b"mine"
    assert front.out == b""


# --- ALPN (ALPACA, CVE-2021-3618) ---


@pytest.mark.parametrize("version", [TLS1_2, TLS1_3])
@pytest.mark.parametrize(
    ("protocol", "good"),
    [
        (Protocol.IMAP, ["imap"]),
        (Protocol.POP3, ["pop3"]),
        (Protocol.SMTP, ["smtp"]),
        (Protocol.SMTP, ["submission"]),
        (Protocol.SMTP, ["h2", "smtp"]),
    ],
)
def test_names_of_the_protocol_are_agreed(
    protocol: Protocol, good: list[str], version: ssl.TLSVersion
) -> None:
    _, peer = met(front_context(protocol=protocol), alpn=good, version=version)
    assert peer.tls.selected_alpn_protocol() == good[-1]


@pytest.mark.parametrize("version", [TLS1_2, TLS1_3])
@pytest.mark.parametrize("offered", [["http/1.1"], ["h2", "http/1.1"], ["pop3"]])
def test_other_names_are_refused_with_the_alert(
    offered: list[str], version: ssl.TLSVersion
) -> None:
    front, peer = met(front_context(), alpn=offered, version=version)
    assert front.phase is Phase.FAILED
    assert peer.error is not None
    assert "alert no application protocol" in str(peer.error)
    assert front.failure is not None
    assert "no application protocol" in front.failure.reason


# --- what is not TLS, and what does not end ---


@pytest.mark.parametrize(
    "octets", [b"a LOGIN joe secret\r\n", b"GET / HTTP/1.1\r\n\r\n", b"\0" * 9]
)
def test_what_is_not_tls_fails(octets: bytes) -> None:
    front = front_end(front_context())
    assert front.feed(octets) == b""
    assert front.phase is Phase.FAILED


def test_a_hello_without_end_is_not_collected_for_ever() -> None:
    front = front_end(front_context())
    front.feed(b"\x16\x03\x01\x40\x00\x01\x00\x3f\xfc")
    for _ in range(40):
        front.feed(b"\x16\x03\x01\x00\x01\x00" * 100)
    assert front.phase is Phase.FAILED
    assert len(front._hello) == 0


def test_before_the_hello_is_complete_there_is_no_connection_of_openssl() -> None:
    asked: list[str] = []

    def choose(name: str) -> FrontContext:
        asked.append(name)
        return front_context()

    front, (_, hello) = FrontTlsEndpoint(choose), Client().feed(b"")
    front.feed(hello[:-1])
    assert not asked
    assert front._ssl is None
    front.feed(hello[-1:])
    assert asked == ["mail.example.com"]


def test_a_certificate_that_cannot_be_loaded_fails_that_connection_only() -> None:
    def choose(_name: str) -> FrontContext:
        raise Refused("ssl_certificate", 'cannot load certificate "x"')

    front, peer = FrontTlsEndpoint(choose), Client()
    peer.join(front)
    assert front.failure is not None
    assert front.failure.reason == 'cannot load certificate "x"'
    assert "alert internal error" in str(peer.error)


def test_close_notify_of_the_client_leaves_the_other_way_open() -> None:
    context = front_context()
    front, back = joined(context, back_context())
    assert front.feed(back.write(b"last words") + back.close()) == b"last words"
    assert front.phase is Phase.ENDED
    assert back.feed(front.write(b"answer")) == b"answer"
    assert back.feed(front.close()) == b""
    assert back.phase is Phase.ENDED
    assert front.write(b"more") == b""


def test_new_keys_are_followed_and_answered() -> None:
    front, back = joined(front_context(), back_context())
    for _ in range(100):
        ask_for_new_keys(back)
        assert front.feed(back.write(b"a")) == b"a"
    assert 0 < len(front.out) < 100 * 50
    assert back.feed(front.write(b"b")) == b"b"
    assert front.feed(back.write(b"c")) == b"c"


def test_nothing_is_read_or_written_after_a_failure() -> None:
    front = front_end(front_context())
    front.feed(b"not TLS")
    front.take()
    assert front.feed(b"more") == front.write(b"more") == front.close() == b""


# --- client certificates: dialogues §5, mail_imap_ssl.t ---

ONE = self_signed("1.example.com")
TWO = self_signed("2.example.com")
THREE = self_signed("3.example.com")


@pytest.mark.parametrize("version", [TLS1_2, TLS1_3])
@pytest.mark.parametrize(
    ("mode", "trusted", "given", "verify", "refusal"),
    [
        ("on", None, None, "NONE", NO_CERTIFICATE),
        ("on", None, TWO, "SUCCESS", ""),
        ("on", None, ONE, "FAILED:self-signed certificate", BAD_CERTIFICATE),
        ("optional", None, None, "NONE", ""),
        ("optional", THREE, ONE, "FAILED:self-signed certificate", BAD_CERTIFICATE),
        ("optional", None, TWO, "SUCCESS", ""),
        ("optional", THREE, THREE, "SUCCESS", ""),
        ("optional_no_ca", None, ONE, "FAILED:self-signed certificate", ""),
        ("optional_no_ca", None, None, "NONE", ""),
    ],
)
def test_a_client_certificate_is_judged_after_the_handshake(
    mode: str,
    trusted: Pair | None,
    given: Pair | None,
    verify: str,
    refusal: str,
    version: ssl.TLSVersion,
    tmp_path: Path,
) -> None:
    context = front_context(
        ssl_verify_client=mode,
        ssl_client_certificate="data:" + TWO.pem,
        ssl_trusted_certificate="data:" + trusted.pem if trusted else "",
    )
    identity = (given, tmp_path) if given else None
    front, peer = met(context, identity=identity, version=version)
    assert front.phase is Phase.OPEN
    assert peer.error is None
    assert front.facts is not None
    assert (front.facts.verify, front.refusal) == (verify, refusal)
    assert (front.facts.peer is None) == (given is None)


def test_facts_of_a_certificate_are_in_nginx_s_spelling(tmp_path: Path) -> None:
    context = front_context(ssl_verify_client="optional_no_ca")
    front, _ = met(context, identity=(ONE, tmp_path))
    assert front.facts is not None
    facts = front.facts.peer
    assert facts is not None
    assert facts.subject == facts.issuer == "CN=1.example.com"
    assert facts.serial == f"{ONE.certificate.serial_number:X}"
    assert facts.pem == ONE.pem
    assert len(facts.fingerprint) == 40
    assert facts.fingerprint == facts.fingerprint.lower()


def test_a_chain_longer_than_the_depth_is_a_bad_certificate(tmp_path: Path) -> None:
    root = Authority("Root")
    below = Authority("Below", Authority("Middle", root))
    identity = below.issue("joe", client=True)
    for depth, refusal in ((1, BAD_CERTIFICATE), (2, "")):
        context = front_context(
            ssl_verify_client="on",
            ssl_client_certificate="data:" + root.pem,
            ssl_verify_depth=depth,
        )
        front, _ = met(context, identity=(identity, tmp_path))
        assert front.refusal == refusal, depth


def test_a_revoked_certificate_is_a_bad_certificate(tmp_path: Path) -> None:
    authority = Authority("Revoking")
    good, bad = (authority.issue(name, client=True) for name in ("good", "bad"))
    authority.revoke(bad)
    context = front_context(
        ssl_verify_client="on",
        ssl_client_certificate="data:" + authority.pem,
        ssl_crl="data:" + authority.revocation_list(),
    )
    front, _ = met(context, identity=(good, tmp_path))
    assert front.refusal == ""
    front, _ = met(context, identity=(bad, tmp_path))
    assert front.refusal == BAD_CERTIFICATE
    assert front.facts is not None
    assert front.facts.verify == "FAILED:certificate revoked"


def test_a_certificate_of_a_server_is_not_one_of_a_client(tmp_path: Path) -> None:
    context = front_context(ssl_verify_client="on", ssl_client_certificate="data:" + AUTHORITY.pem)
    front, _ = met(context, identity=(AUTHORITY.issue("joe"), tmp_path))
    assert front.refusal == BAD_CERTIFICATE
