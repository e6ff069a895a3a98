"""Which server block a name means, seen from outside: before and behind STARTTLS."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.tls.stage import MODES, PROTOCOLS, Block, daemon, issued
from tests.support.authserver import REFUSED, AuthServer
from tests.support.openssl import VERSIONS, Door
from tests.support.talk import plain

_NAMES = {
    "first": "one.example.com",
    "exact": "two.example.com",
    "leading": "*.example.com",
    "longer": "*.eu.example.com",
    "trailing": "mail.*",
    "dotted": ".example.net",
    "nobody": "_",
}
"""Blocks by what their certificate, auth service and name are called; on one socket."""

_VERSIONS = {"exact": "TLSv1.2", "leading": "TLSv1.3", "dotted": "TLSv1.2"}
"""Those that speak one version only."""

_MEANINGS = [
    ("one.example.com", "first"),
    ("two.example.com", "exact"),
    ("TWO.Example.Com", "exact"),
    ("two.example.com.", "exact"),
    ("three.example.com", "leading"),
    ("a.b.example.com", "leading"),
    ("a.eu.example.com", "longer"),
    ("eu.example.com", "leading"),
    ("mail.example.org", "trailing"),
    ("mail.example.com", "leading"),
    ("example.net", "dotted"),
    ("a.example.net", "dotted"),
    ("example.com", "first"),
    ("_", "nobody"),
    ("stranger.example.org", "first"),
    ("", "first"),
]

_LOGIN = {
    "imap": "a LOGIN alice wrong\r\n",
    "pop3": "USER alice\r\nPASS wrong\r\n",
    "smtp": f"EHLO laptop\r\nAUTH PLAIN {plain('alice', 'wrong')}\r\n",
}


@dataclass
class House:
    """The daemon's doors, and who is asked about logins."""

    doors: dict[tuple[str, str], Door]
    auth: AuthServer


def sharing(protocol: str, auth: int) -> list[Block]:
    """Give the blocks of a protocol, all on the same two sockets."""
    first = Block("", protocol)
    blocks = []
    for key, name in _NAMES.items():
        version = f"ssl_protocols {_VERSIONS[key]};" if key in _VERSIONS else ""
        settings = f"""
        server_name {name};
        auth_http 127.0.0.1:{auth}/{key};
        ssl_certificate @DIR@/{key}.crt;
        ssl_certificate_key @DIR@/{key}.key;
        {version}"""
        blocks.append(Block(settings, protocol, first.implicit, first.starttls))
    return blocks


def write(directory: Path) -> None:
    for key in _NAMES:
        issued("ecdsa", f"{key}.test").write(directory, key)


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    auth = AuthServer(lambda _: REFUSED)
    blocks = {protocol: sharing(protocol, auth.port) for protocol in PROTOCOLS}
    everything = [block for some in blocks.values() for block in some]
    with auth, daemon(everything, auth=auth.port, before=write):
        doors = {
            (protocol, mode): blocks[protocol][0].door(mode)
            for protocol in PROTOCOLS
            for mode in MODES
        }
        yield House(doors, auth)


def asking_for(name: str) -> tuple[str, ...]:
    return ("-servername", name) if name else ("-noservername",)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(("name", "block"), _MEANINGS)
def test_the_name_chooses_certificate_and_auth_service(
    house: House, name: str, block: str, protocol: str, mode: str
) -> None:
    house.auth.asked.clear()
    shown = house.doors[protocol, mode].s_client(*asking_for(name), say=_LOGIN[protocol])
    assert shown.subject == f"{block}.test"
    assert [asked.path for asked in house.auth.asked] == [f"/{block}"]
    assert house.auth.asked[0].login == "alice"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("block", ["exact", "leading", "dotted", "first"])
def test_the_name_chooses_what_is_spoken(house: House, block: str, mode: str) -> None:
    name = _NAMES[block].replace("*.", "a.").removeprefix(".")
    for version in ("TLSv1.2", "TLSv1.3"):
        shown = house.doors["imap", mode].s_client(VERSIONS[version], *asking_for(name))
        spoken = _VERSIONS.get(block, version)
        assert shown.protocol == (version if version == spoken else "")


# --- ALPN ---

_ALPN = {"imap": ("imap",), "pop3": ("pop3",), "smtp": ("smtp", "submission")}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_alpn_of_mail_is_accepted_and_of_others_refused_with_an_alert(
    house: House, protocol: str, mode: str
) -> None:
    door = house.doors[protocol, mode]
    for own in _ALPN[protocol]:
        assert door.s_client("-alpn", own).alpn == own
        assert door.s_client("-alpn", f"h2,{own}").alpn == own
    others = {"http/1.1", "h2", "xmpp-client", *sum(_ALPN.values(), ())} - set(_ALPN[protocol])
    for other in sorted(others):
        shown = door.s_client("-alpn", other)
        assert not shown.cipher, other
        assert "alert no application protocol" in shown.text, other
    without = door.s_client()
    assert without.cipher
    assert not without.alpn
