"""Every ``ssl_*`` directive, set in an nginx.conf and seen by ``openssl s_client``."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxycore.nginxconf.table_tls import FRONT_TLS
from tests.integration.tls.directives import ROWS, Row
from tests.integration.tls.stage import MODES, NAME, PROTOCOLS, Block, authority, daemon
from tests.support.openssl import OLD
from tests.support.pki import Authority, self_signed
from tests.support.proxycore import Proxycore
from tests.support.require import program

_PASSPHRASE = b"open sesame"
_BLOCKS = {
    row: Block(row.settings, PROTOCOLS[place % len(PROTOCOLS)]) for place, row in enumerate(ROWS)
}


def write_files(directory: Path) -> None:
    """Write what the settings of the rows name."""
    below = Authority("Intermediate", authority())
    below.issue(NAME).write(directory, "chained")
    authority().issue("other.example.com").write(directory, "other")
    both = authority().issue(NAME)
    (directory / "one-file.pem").write_text(both.pem + both.key_pem)
    locked = authority().issue("locked.example.com")
    locked.write(directory, "locked")
    (directory / "locked.key").write_text(locked.key_with(_PASSPHRASE))
    (directory / "passwords").write_bytes(b"not this\n" + _PASSPHRASE + b"\n")
    for size in (48, 80):
        (directory / f"{size}.key").write_bytes(os.urandom(size))
    for bits in (2048, 3072):
        group = ("-algorithm", "DH", "-pkeyopt", f"group:ffdhe{bits}")
        out = ("-out", str(directory / f"dh{bits}.pem"))
        subprocess.run([program("openssl"), "genpkey", "-genparam", *group, *out], check=True)
    write_clients(directory)


def write_clients(directory: Path) -> None:
    """Write who comes with a certificate of its own, and who vouches for them."""
    clients = Authority("Clients")
    (directory / "clients.pem").write_text(clients.pem)
    revoked = clients.issue("revoked", client=True)
    clients.revoke(revoked)
    (directory / "revoked.pem").write_text(clients.revocation_list())
    below = Authority("Department", clients)
    further = Authority("Team", below)
    for name, pair in (
        ("good", clients.issue("good", client=True)),
        ("revoked", revoked),
        ("stranger", self_signed("stranger")),
        ("deep", below.issue("deep", client=True)),
        ("deeper", further.issue("deeper", client=True)),
    ):
        pair.write(directory, name)


@pytest.fixture(scope="module")
def proxy() -> Iterator[Proxycore]:
    with daemon(list(_BLOCKS.values()), before=write_files) as running:
        yield running


_CASES = [
    pytest.param(row, mode, id=f"{row.settings.replace('@DIR@/', '')}-{mode}")
    for row in ROWS
    for mode in MODES
    if mode == "implicit" or row.directive != "ssl"  # ssl on makes every socket TLS
]


@pytest.mark.parametrize(("row", "mode"), _CASES)
def test_effect(proxy: Proxycore, row: Row, mode: str) -> None:
    row.check(_BLOCKS[row].door(mode), proxy.directory)


def test_every_directive_has_a_row() -> None:
    known = {row.name for row in FRONT_TLS if row.name.startswith("ssl")}
    assert {row.directive for row in ROWS} == known


def test_what_the_library_does_not_have_is_said(proxy: Proxycore) -> None:
    words = '"ssl_certificate_compression" is not supported on this platform, ignored'
    assert words in proxy.log()


_NO_SECRECY = ("kRSA", "kDHE", "aNULL", "eNULL", "3DES", "CBC", "SHA1")


@pytest.fixture(scope="module")
def plainest() -> Iterator[list[Block]]:
    """Blocks that leave everything to us."""
    blocks = [Block("", protocol) for protocol in PROTOCOLS]
    with daemon(blocks):
        yield blocks


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("place", range(len(PROTOCOLS)), ids=PROTOCOLS)
def test_by_default_there_is_forward_secrecy_only(
    plainest: list[Block], place: int, mode: str
) -> None:
    door = plainest[place].door(mode)
    for version in ("-tls1", "-tls1_1"):
        assert not door.s_client(version, "-cipher", OLD).cipher
    for ciphers in _NO_SECRECY:
        assert not door.s_client("-tls1_2", "-cipher", f"{ciphers}:@SECLEVEL=0").cipher, ciphers
    assert door.s_client("-tls1_2").cipher == "ECDHE-ECDSA-AES256-GCM-SHA384"
