"""Both legs against OpenSSL's own programs, over sockets."""

import base64
import hashlib
import hmac
import os
from pathlib import Path
from typing import Any

import pytest

from proxycore.contract.secret import Secret
from proxycore.contract.server_names import Names
from proxycore.contract.tls import ConfCommand
from proxycore.net.tls.back import BackTlsEndpoint
from proxycore.net.tls.endpoint import Phase
from proxycore.net.tls.front_context import FrontContext
from tests.support.pki import Authority, Pair, self_signed
from tests.unit.proxycore.net.tls.ends import AUTHORITY, SERVER, back_context, front_context
from tests.unit.proxycore.net.tls.pump import SILENT, fronts, s_client, s_server, talk

RSA = AUTHORITY.issue("mail.example.com", kind="rsa")
DH = """-----BEGIN DH PARAMETERS-----
MIIBDAKCAQEA//////////+t+FRYortKmq/cViAnPTzx2LnFg84tNpWp4TZBFGQz
+8yTnc4kmz75fS/jY2MMddj2gbICrsRhetPfHtXV/WVhJDP1H18GbtCFY2VVPe0a
87VXE15/V8k1mE8McODmi3fipona8+/och3xWKE2rec1MKzKT0g6eXq8CrGCsyT7
YdEIqUuyyOP7uWrat2DX9GgdT0Kj3jlN9K5W7edjcrsZCwenyO4KbXCeAvzhzffi
7MA0BM0oNC9hkXL+nOmFg/+OTxIy7vKBg8P+OxtMb61zO7X8vC7CIAXFjvGDfRaD
ssbzSibBsu/6iGtCOGEoXJf//////////wIBAgICAOE=
-----END DH PARAMETERS-----
"""

OLD = "ALL:@SECLEVEL=0"


def shown(text: str, key: str) -> str:
    """Give what s_client printed behind ``key``."""
    lines = [line.strip() for line in text.splitlines()]
    return next((line.removeprefix(key).strip() for line in lines if line.startswith(key)), "")


def protocol_of(text: str) -> str:
    (line,) = [line for line in text.splitlines() if line.startswith("New, ")][:1] or [
        "New, (NONE)"
    ]
    return "" if "(NONE)" in line else line.split(",")[1].strip()


def cipher_of(text: str) -> str:
    lines = [line for line in text.splitlines() if line.startswith(("New, ", "Reused, "))]
    return lines[0].rpartition(" is ")[2] if lines else ""


ALL = ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")


@pytest.mark.parametrize("client", ALL)
@pytest.mark.parametrize(
    "offered", [("TLSv1.2", "TLSv1.3"), ("TLSv1",), ("TLSv1.1", "TLSv1.2"), ("TLSv1.3",)]
)
def test_protocols(offered: tuple[str, ...], client: str) -> None:
    context = front_context(RSA, ssl_protocols=offered, ssl_ciphers=OLD)
    option = "-" + client.lower().replace("tlsv", "tls").replace(".", "_")
    with fronts(context) as running:
        text = s_client(running.address, option, "-cipher", OLD)
    assert bool(protocol_of(text)) is (client in offered)
    assert (running.ends[0].facts is not None) is (client in offered)
    if client in offered:
        assert running.ends[0].facts.protocol == client  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("offered", "wanted", "chosen"),
    [
        ("ECDHE+AESGCM", "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"),
        ("ECDHE+AESGCM", "ECDHE-ECDSA-CHACHA20-POLY1305", "(NONE)"),
        ("ECDHE+CHACHA20", "ALL", "ECDHE-ECDSA-CHACHA20-POLY1305"),
    ],
)
def test_ciphers_of_tls_1_2(offered: str, wanted: str, chosen: str) -> None:
    with fronts(front_context(ssl_ciphers=offered)) as running:
        text = s_client(running.address, "-tls1_2", "-cipher", wanted)
    assert cipher_of(text) == chosen


def test_the_default_has_forward_secrecy_only() -> None:
    with fronts(front_context(SERVER, RSA)) as running:
        for cipher in ("kRSA", "DHE", "CBC", "SHA1", "3DES", "aNULL", "eNULL"):
            text = s_client(running.address, "-tls1_2", "-cipher", f"{cipher}:@SECLEVEL=0")
            assert cipher_of(text) in ("", "(NONE)"), cipher


@pytest.mark.parametrize("client", ["TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256"])
def test_suites_of_tls_1_3(client: str) -> None:
    suites = ConfCommand(name="Ciphersuites", value="TLS_AES_128_GCM_SHA256")
    with fronts(front_context(ssl_conf_command=(suites,))) as running:
        text = s_client(running.address, "-tls1_3", "-ciphersuites", client)
    good = client == "TLS_AES_128_GCM_SHA256"
    assert cipher_of(text) == (client if good else "(NONE)")


@pytest.mark.parametrize(
    ("curves", "client", "good"),
    [("secp384r1", "P-384", True), ("secp384r1", "X25519", False), ("X25519:P-256", "P-256", True)],
)
def test_curves(curves: str, client: str, good: bool) -> None:
    with fronts(front_context(ssl_ecdh_curve=curves)) as running:
        for version in ("-tls1_2", "-tls1_3"):
            # a certificate's own curve must be among a 1.2 client's
            text = s_client(running.address, version, "-groups", f"{client}")
            wanted = good and not (version == "-tls1_2" and client != "P-256")
            if wanted:
                assert shown(text, "Server Temp Key:").split(",")[-2].strip() in (
                    client.replace("P-384", "secp384r1").replace("P-256", "prime256v1"),
                    "ECDH",
                    "secp384r1",
                    "prime256v1",
                )
            elif not good:
                assert cipher_of(text) in ("", "(NONE)")


@pytest.mark.parametrize("given", [True, False])
def test_dh_parameters(given: bool) -> None:
    context = front_context(
        RSA, ssl_ciphers="DHE+AESGCM", ssl_dhparam="data:" + DH if given else ""
    )
    with fronts(context) as running:
        text = s_client(running.address, "-tls1_2", "-cipher", "DHE")
    assert bool(protocol_of(text)) is given
    assert shown(text, "Server Temp Key:") == ("DH, 2048 bits" if given else "")


def test_rsa_and_ecdsa_side_by_side() -> None:
    with fronts(front_context(SERVER, RSA)) as running:
        for kind in ("ECDSA", "RSA"):
            text = s_client(
                running.address, "-tls1_2", "-cipher", f"ECDHE-{kind}-AES128-GCM-SHA256"
            )
            assert cipher_of(text) == f"ECDHE-{kind}-AES128-GCM-SHA256"


@pytest.mark.parametrize(
    ("offer", "agreed"), [("imap", "imap"), ("h2,imap", "imap"), ("http/1.1", None), ("", "")]
)
def test_alpn(offer: str, agreed: str | None) -> None:
    options = ("-alpn", offer) if offer else ()
    with fronts(front_context()) as running:
        text = s_client(running.address, *options)
    if agreed is None:
        assert "alert no application protocol" in text
        assert cipher_of(text) == "(NONE)"
    else:
        assert shown(text, "ALPN protocol:") == agreed
        assert cipher_of(text) == "TLS_AES_256_GCM_SHA384"


def test_server_names_choose_certificate_and_everything_else() -> None:
    contexts = {
        name: front_context(AUTHORITY.issue(name), scope=name, ssl_protocols=protocols)
        for name, protocols in (
            ("a.example.com", ("TLSv1.3",)),
            ("b.example.com", ("TLSv1.2",)),
            ("default.example.com", ("TLSv1.2", "TLSv1.3")),
        )
    }
    default = contexts["default.example.com"]
    names: Names[FrontContext] = Names(default, contexts.items())
    with fronts(names.choose) as running:
        for asked, got, protocol in (
            ("a.example.com", "a.example.com", "TLSv1.3"),
            ("b.example.com", "b.example.com", "TLSv1.2"),
            ("c.example.com", "default.example.com", "TLSv1.3"),
            ("", "default.example.com", "TLSv1.3"),
        ):
            options = ("-servername", asked) if asked else ("-noservername",)
            text = s_client(running.address, *options)
            assert shown(text, "subject=") in (f"CN = {got}", f"CN={got}")
            assert protocol_of(text) == protocol


def test_renegotiation_and_compression_are_refused() -> None:
    with fronts(front_context()) as running:
        # R at the beginning of a line asks s_client to renegotiate
        text = s_client(running.address, "-tls1_2", "-servername", SILENT, say=b"R\n")
    assert "no renegotiation" in text
    assert shown(text, "Compression:") == "NONE"


def test_the_greeting_and_a_line_come_through() -> None:
    with fronts(front_context()) as running:
        text = s_client(running.address, "-quiet", say=b"hello bye\n")
    assert "* OK ready" in text
    assert "HELLO" in text


# --- client certificates ---


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_the_client_hears_no_alert_for_a_bad_certificate(version: str, tmp_path: Path) -> None:
    known, stranger = self_signed("known"), self_signed("stranger")
    context = front_context(ssl_verify_client="on", ssl_client_certificate="data:" + known.pem)
    certificate, key = stranger.write(tmp_path, "stranger")
    with fronts(context) as running:
        options = (version, "-cert", str(certificate), "-key", str(key))
        text = s_client(running.address, *options, "-quiet", say=b"hello bye\n")
        listed = s_client(running.address, version)
    assert "alert" not in text.lower()
    assert "* OK ready" in text
    assert "known" in listed[listed.index("Acceptable client certificate CA names") :]
    (end, _) = running.ends[:2]
    assert end.facts is not None
    assert end.facts.verify == "FAILED:self-signed certificate"


# --- resumption ---


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_a_session_goes_on_at_another_node_with_the_same_ticket_key(
    version: str, tmp_path: Path
) -> None:
    key = Secret("data:" + base64.b64encode(os.urandom(80)).decode())
    session = tmp_path / "session"
    nodes = [front_context(ssl_session_ticket_key=(key,)) for _ in range(2)]
    with fronts(nodes[0]) as first, fronts(nodes[1]) as second, fronts(front_context()) as third:
        s_client(first.address, version, "-sess_out", str(session), "-quiet", say=b"bye\n")
        for running, reused in ((second, True), (third, False)):
            text = s_client(running.address, version, "-sess_in", str(session))
            assert ("Reused, TLS" in text) is reused
            assert running.ends[0].facts.resumed is reused  # type: ignore[union-attr]


@pytest.mark.parametrize(("size", "secret"), [(48, slice(32, 48)), (80, slice(16, 48))])
def test_a_ticket_is_made_as_nginx_makes_it(size: int, secret: slice) -> None:
    """Name, IV, AES-CBC, HMAC-SHA256; of 48 octets the last 16 are the HMAC's, of 80 the middle."""
    key = os.urandom(size)
    given = Secret("data:" + base64.b64encode(key).decode())
    with fronts(front_context(ssl_session_ticket_key=(given,))) as running:
        text = s_client(running.address, "-tls1_2")
    lines = text[text.index("TLS session ticket:") :].splitlines()[1:]
    dump = [line.split(" - ", 1)[1][:48] for line in lines if line[8:11] == " - "]
    ticket = bytes.fromhex("".join(dump).replace("-", " "))
    assert ticket[:16] == key[:16]
    assert hmac.digest(key[secret], ticket[:-32], hashlib.sha256) == ticket[-32:]
    assert len(ticket[32:-32]) % 16 == 0


# --- the back leg ---


def server_files(of: Pair, directory: Path) -> tuple[str, ...]:
    certificate, key = of.write(directory, "server")
    return ("-cert", str(certificate), "-cert_chain", str(certificate), "-key", str(key))


def met(port: int, **policy: Any) -> tuple[BackTlsEndpoint, bytes]:
    end = BackTlsEndpoint(back_context(**policy), "mail.example.com", f"127.0.0.1:{port}")
    return end, talk(port, end, b"olleh\n")


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_a_good_mail_server(version: str, tmp_path: Path) -> None:
    with s_server(*server_files(SERVER, tmp_path)) as port:
        end, got = met(port, proxy_ssl_protocols=(version,))
    assert got == b"hello\n"
    assert end.facts is not None
    assert end.facts.protocol == version


@pytest.mark.parametrize(
    ("server", "words"),
    [
        (AUTHORITY.issue("other.example.com"), "not for"),
        (AUTHORITY.issue("mail.example.com", days=-2), "expired on"),
        (self_signed("mail.example.com"), "self-signed"),
        (Authority("Stranger").issue("mail.example.com"), "not trusted here"),
    ],
)
def test_a_bad_mail_server_is_refused_by_name_of_its_fault(
    server: Pair, words: str, tmp_path: Path
) -> None:
    with s_server(*server_files(server, tmp_path)) as port:
        end, got = met(port)
    assert got == b""
    assert end.phase is Phase.FAILED
    assert end.failure is not None
    assert words in end.failure.reason


def test_a_mail_server_that_wants_our_certificate_and_gets_none(tmp_path: Path) -> None:
    files = server_files(SERVER, tmp_path)
    with s_server(*files, "-Verify", "1", "-verify_return_error") as port:
        end, _ = met(port)
    assert end.failure is not None
    assert "certificate required" in end.failure.reason
