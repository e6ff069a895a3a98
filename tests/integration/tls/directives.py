"""What each ``ssl_*`` directive does on the wire: settings, and what s_client then sees."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.integration.tls.stage import NAME
from tests.support.openssl import OLD, VERSIONS, Door
from tests.support.wait import eventually

Check = Callable[[Door, Path], None]
"""Asserts; the path is where the daemon has its files."""


@dataclass(frozen=True)
class Row:
    """One way to set a directive. ``@DIR@`` in the settings is the daemon's directory."""

    directive: str
    settings: str
    check: Check


def takes(door: Door, *options: str) -> bool:
    """Tell whether a client with these options gets a connection."""
    return bool(door.s_client(*options).cipher)


# --- protocols, ciphers, groups ---


def only_version(version: str, door: Door, _: Path) -> None:
    for name, option in VERSIONS.items():
        shown = door.s_client(option, "-cipher", OLD)
        assert shown.protocol == (version if name == version else ""), name


_CANDIDATES = (
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES128-SHA256",
    "DHE-RSA-AES128-GCM-SHA256",
    "AES128-GCM-SHA256",
)


def only_ciphers(wanted: set[str], door: Door, _: Path) -> None:
    found = {name for name in _CANDIDATES if takes(door, "-tls1_2", "-cipher", name)}
    assert found == wanted


def chooses(wanted: str, door: Door, _: Path) -> None:
    """The client would rather have AES."""
    ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305"
    assert door.s_client("-tls1_2", "-cipher", ciphers).cipher == wanted


def follows_chacha(door: Door, _: Path) -> None:
    """Our order, which begins with AES, except for clients that begin with ChaCha20."""
    aes, chacha = "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"
    other = "ECDHE-ECDSA-AES256-GCM-SHA384"
    for offered, got in (([chacha, aes], chacha), ([other, chacha, aes], aes)):
        assert door.s_client("-tls1_2", "-cipher", ":".join(offered)).cipher == got


def only_suite(wanted: str, door: Door, _: Path) -> None:
    suites = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
    found = [name for name in suites if takes(door, "-tls1_3", "-ciphersuites", name)]
    assert found == [wanted]


def only_groups(wanted: tuple[str, ...], door: Door, _: Path) -> None:
    rsa = ("-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256")
    for options in (("-tls1_3",), rsa):
        for name in ("X25519", "prime256v1", "secp384r1", "secp521r1"):
            shown = door.s_client(*options, "-groups", name)
            assert shown.group == (name if name in wanted else ""), name


def exchanges_dh(bits: int, door: Door, _: Path) -> None:
    shown = door.s_client("-tls1_2", "-cipher", "DHE")
    assert shown.behind("Server Temp Key:") == (f"DH, {bits} bits" if bits else "")
    assert bool(shown.cipher) is bool(bits)


def signs(wanted: str, door: Door, _: Path) -> None:
    shown = door.s_client("-tls1_3")
    assert shown.behind("Peer signing digest:") == wanted


# --- certificates ---


def presents(kind: str, door: Door, files: Path) -> None:
    """That key only, and its certificate is good for the name."""
    for name in ("ECDSA", "RSA"):
        trust = ("-CAfile", f"{files}/authority.pem", "-verify_hostname", NAME)
        shown = door.s_client("-tls1_2", "-cipher", f"ECDHE-{name}-AES128-GCM-SHA256", *trust)
        expected = kind in ("both", name.lower())
        assert bool(shown.cipher) is expected, name
        if expected:
            assert shown.behind("Verify return code:") == "0 (ok)"


def sends_chain(door: Door, files: Path) -> None:
    shown = door.s_client("-showcerts", "-CAfile", f"{files}/authority.pem")
    assert shown.text.count("BEGIN CERTIFICATE") == 2
    assert shown.behind("Verify return code:") == "0 (ok)"


def is_called(name: str, door: Door, _: Path) -> None:
    assert door.s_client().subject == name


def speaks_tls(door: Door, files: Path) -> None:
    presents("both", door, files)


# --- sessions ---


def resumed(door: Door, files: Path, version: str) -> bool:
    """Tell whether a new session can be resumed."""
    kept = files / f"session-{door.port}"
    kept.unlink(missing_ok=True)
    first = door.s_client(version, "-sess_out", str(kept))
    assert first.cipher
    assert not first.resumed
    # of TLS 1.3 there is a session only if there was a ticket
    return kept.exists() and door.s_client(version, "-sess_in", str(kept)).resumed


def resumes(wanted: bool, door: Door, files: Path) -> None:
    for version in ("-tls1_2", "-tls1_3"):
        assert resumed(door, files, version) is wanted


def has_session_id(wanted: bool, door: Door, files: Path) -> None:
    """``off`` says that nothing is resumed, ``none`` does not say so."""
    resumes(False, door, files)
    assert bool(door.s_client("-tls1_2").behind("Session-ID:")) is wanted


def has_ticket(wanted: bool, door: Door, _: Path) -> None:
    assert bool(door.s_client("-tls1_2").ticket) is wanted


def ticket_is_made_with(key: str, door: Door, files: Path) -> None:
    assert door.s_client("-tls1_2").ticket[:16] == (files / key).read_bytes()[:16]


def lives(seconds: int, door: Door, _: Path) -> None:
    for version in ("-tls1_2", "-tls1_3"):
        hint = door.s_client(version).behind("TLS session ticket lifetime hint:")
        assert hint == f"{seconds} (seconds)"


def dies_soon(door: Door, files: Path) -> None:
    kept = files / f"session-{door.port}"
    door.s_client("-tls1_2", "-sess_out", str(kept))

    def is_over() -> bool:
        shown = door.s_client("-tls1_2", "-sess_in", str(kept))
        return bool(shown.cipher) and not shown.resumed

    eventually(is_over, "the session cannot be resumed any more")


# --- certificates of clients (more in test_client_certificates.py) ---

_GOODBYE = re.compile(r"z OK|\+OK|221 ")
_REFUSED = re.compile(
    r"(\* BYE|-ERR|421 4\.7\.1) (SSL certificate error|No required SSL certificate)"
)


def accepts(
    *identities: str, among: tuple[str, ...] = ("good", "stranger", "revoked", "")
) -> Check:
    """Make the check that clients with these certificates, and no others, are greeted."""
    return partial(_accepts, identities, among)


def _accepts(identities: tuple[str, ...], among: tuple[str, ...], door: Door, files: Path) -> None:
    for who in among:
        pair, key = f"{files}/{who}.crt", f"{files}/{who}.key"
        options = ("-cert", pair, "-cert_chain", pair, "-key", key) if who else ()
        shown = door.s_client(*options, "-quiet")
        refused = _REFUSED.search(shown.text) is not None
        assert refused is (who not in identities), (who, shown.text)
        assert refused or _GOODBYE.search(shown.text), (who, shown.text)


def announces(names: set[str], door: Door, _: Path) -> None:
    text = door.s_client().text
    rest = text.partition("Acceptable client certificate CA names\n")[2]
    lines = rest.partition("Requested Signature")[0].splitlines()
    assert {line.replace(" ", "").removeprefix("CN=") for line in lines if "=" in line} == names


_TICKETLESS = "ssl_session_tickets off;"
_PAIR = "ssl_certificate @DIR@/{0}.crt; ssl_certificate_key @DIR@/{0}.key;"
_BY_GOOD = "ssl_client_certificate @DIR@/clients.pem;"
_TWO_CIPHERS = "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256"
_AES_FIRST = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305"
_SERVER_FIRST = "ssl_prefer_server_ciphers on;"

ROWS = (
    Row("ssl", "ssl on;", speaks_tls),
    *(
        Row(
            "ssl_protocols",
            f"ssl_protocols {name}; ssl_ciphers {OLD};",
            partial(only_version, name),
        )
        for name in VERSIONS
    ),
    Row(
        "ssl_ciphers",
        "ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384;",
        partial(only_ciphers, {"ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384"}),
    ),
    Row("ssl_ciphers", "ssl_ciphers AESGCM+kRSA;", partial(only_ciphers, {"AES128-GCM-SHA256"})),
    Row(
        "ssl_prefer_server_ciphers",
        f"ssl_prefer_server_ciphers on; ssl_ciphers {_TWO_CIPHERS};",
        partial(chooses, "ECDHE-ECDSA-CHACHA20-POLY1305"),
    ),
    Row(
        "ssl_prefer_server_ciphers",
        f"ssl_prefer_server_ciphers off; ssl_ciphers {_TWO_CIPHERS};",
        partial(chooses, "ECDHE-ECDSA-AES128-GCM-SHA256"),
    ),
    Row("ssl_ecdh_curve", "ssl_ecdh_curve secp384r1;", partial(only_groups, ("secp384r1",))),
    Row(
        "ssl_ecdh_curve",
        "ssl_ecdh_curve X25519:prime256v1;",
        partial(only_groups, ("X25519", "prime256v1")),
    ),
    Row(
        "ssl_dhparam",
        "ssl_ciphers DHE+AESGCM; ssl_dhparam @DIR@/dh3072.pem;",
        partial(exchanges_dh, 3072),
    ),
    Row(
        "ssl_dhparam",
        "ssl_ciphers DHE+AESGCM; ssl_dhparam @DIR@/dh2048.pem;",
        partial(exchanges_dh, 2048),
    ),
    # as in nginx: no parameters, no DHE
    Row("ssl_dhparam", "ssl_ciphers DHE+AESGCM;", partial(exchanges_dh, 0)),
    Row("ssl_certificate", _PAIR.format("ecdsa"), partial(presents, "ecdsa")),
    Row("ssl_certificate", "", partial(presents, "both")),
    Row("ssl_certificate", _PAIR.format("chained"), sends_chain),
    Row("ssl_certificate_key", _PAIR.format("rsa"), partial(presents, "rsa")),
    Row(
        "ssl_certificate_key",
        "ssl_certificate @DIR@/one-file.pem; ssl_certificate_key @DIR@/one-file.pem;",
        partial(presents, "ecdsa"),
    ),
    Row(
        "ssl_password_file",
        _PAIR.format("locked") + "ssl_password_file @DIR@/passwords;",
        partial(is_called, "locked.example.com"),
    ),
    # OpenSSL 3.0 has none; that this is said is tested below
    Row("ssl_certificate_compression", "ssl_certificate_compression on;", speaks_tls),
    Row(
        "ssl_session_cache", f"ssl_session_cache off; {_TICKETLESS}", partial(has_session_id, False)
    ),
    Row(
        "ssl_session_cache", f"ssl_session_cache none; {_TICKETLESS}", partial(has_session_id, True)
    ),
    Row("ssl_session_cache", f"ssl_session_cache builtin; {_TICKETLESS}", partial(resumes, True)),
    Row("ssl_session_cache", f"ssl_session_cache builtin:9; {_TICKETLESS}", partial(resumes, True)),
    Row(
        "ssl_session_cache",
        f"ssl_session_cache shared:ONE:1m; {_TICKETLESS}",
        partial(resumes, True),
    ),
    Row(
        "ssl_session_cache",
        f"ssl_session_cache builtin shared:ONE:1m; {_TICKETLESS}",
        partial(resumes, True),
    ),
    Row("ssl_session_tickets", "ssl_session_tickets on;", partial(has_ticket, True)),
    Row("ssl_session_tickets", "ssl_session_tickets on;", partial(resumes, True)),
    Row("ssl_session_tickets", _TICKETLESS, partial(has_ticket, False)),
    *(
        Row(
            "ssl_session_ticket_key",
            f"ssl_session_ticket_key @DIR@/{a}; ssl_session_ticket_key @DIR@/{b};",
            partial(ticket_is_made_with, a),
        )
        for a, b in (("48.key", "80.key"), ("80.key", "48.key"))
    ),
    Row("ssl_session_timeout", "ssl_session_timeout 10m;", partial(lives, 600)),
    Row("ssl_session_timeout", "ssl_session_timeout 10m;", partial(resumes, True)),
    Row("ssl_session_timeout", "ssl_session_timeout 1s;", dies_soon),
    Row("ssl_verify_client", f"ssl_verify_client on; {_BY_GOOD}", accepts("good", "revoked")),
    Row(
        "ssl_verify_client",
        f"ssl_verify_client optional; {_BY_GOOD}",
        accepts("good", "revoked", ""),
    ),
    Row(
        "ssl_verify_client",
        f"ssl_verify_client optional_no_ca; {_BY_GOOD}",
        accepts("good", "revoked", "stranger", ""),
    ),
    Row("ssl_verify_client", "ssl_verify_client off;", accepts("good", "revoked", "stranger", "")),
    *(
        Row(
            "ssl_verify_depth",
            f"ssl_verify_client on; {_BY_GOOD} ssl_verify_depth {depth};",
            accepts(*deep, among=("good", "deep", "deeper")),
        )
        for depth, deep in ((0, ("good",)), (1, ("good", "deep")), (2, ("good", "deep", "deeper")))
    ),
    Row(
        "ssl_client_certificate",
        f"ssl_verify_client on; {_BY_GOOD}",
        partial(announces, {"Clients"}),
    ),
    Row(
        "ssl_trusted_certificate",
        "ssl_verify_client on; ssl_trusted_certificate @DIR@/clients.pem;",
        accepts("good", "revoked"),
    ),
    Row(
        "ssl_trusted_certificate",
        "ssl_verify_client on; ssl_trusted_certificate @DIR@/clients.pem;",
        partial(announces, set()),
    ),
    Row(
        "ssl_crl",
        f"ssl_verify_client on; {_BY_GOOD} ssl_crl @DIR@/revoked.pem;",
        accepts("good"),
    ),
    # what nginx's documentation and tests give as examples, and what people then use
    Row(
        "ssl_conf_command",
        f"ssl_conf_command Options PrioritizeChaCha; {_SERVER_FIRST} ssl_ciphers {_AES_FIRST};",
        follows_chacha,
    ),
    Row(
        "ssl_conf_command",
        "ssl_conf_command Ciphersuites TLS_CHACHA20_POLY1305_SHA256;",
        partial(only_suite, "TLS_CHACHA20_POLY1305_SHA256"),
    ),
    Row(
        "ssl_conf_command",
        f"ssl_conf_command Options ServerPreference; ssl_ciphers {_TWO_CIPHERS};",
        partial(chooses, "ECDHE-ECDSA-CHACHA20-POLY1305"),
    ),
    Row(
        "ssl_conf_command",
        "ssl_conf_command Options -SessionTicket;",
        partial(has_ticket, False),
    ),
    Row(
        "ssl_conf_command",
        "ssl_conf_command Certificate @DIR@/other.crt; ssl_conf_command PrivateKey @DIR@/other.key;"
        + _PAIR.format("ecdsa"),
        partial(is_called, "other.example.com"),
    ),
    Row(
        "ssl_conf_command",
        "ssl_conf_command MinProtocol TLSv1.3;",
        partial(only_version, "TLSv1.3"),
    ),
    Row(
        "ssl_conf_command",
        "ssl_conf_command MaxProtocol TLSv1.2;",
        partial(only_version, "TLSv1.2"),
    ),
    Row(
        "ssl_conf_command",
        "ssl_conf_command Groups secp384r1;",
        partial(only_groups, ("secp384r1",)),
    ),
    Row(
        "ssl_conf_command",
        "ssl_conf_command CipherString ECDHE-ECDSA-AES128-GCM-SHA256;",
        partial(only_ciphers, {"ECDHE-ECDSA-AES128-GCM-SHA256"}),
    ),
    Row(
        "ssl_conf_command",
        "ssl_conf_command SignatureAlgorithms RSA-PSS+SHA512;",
        partial(signs, "SHA512"),
    ),
    Row(
        "ssl_conf_command",
        "ssl_conf_command DHParameters @DIR@/dh3072.pem; ssl_ciphers DHE+AESGCM;",
        partial(exchanges_dh, 3072),
    ),
)
