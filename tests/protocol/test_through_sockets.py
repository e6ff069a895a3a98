"""Every transcript through real sockets: client, auth service and mail server see what it says."""

import random
import socket
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.support.dialogue import CORPUS as CORPUS_FOLDER
from tests.support.dialogue import Dialogue, Happened, at_random, load, load_all
from tests.support.sealed_peer import Parties
from tests.support.socket_player import SocketPlayer, Stage, staged
from tests.support.stub_dns import (
    AAAA,
    NXDOMAIN,
    PTR,
    A,
    Answer,
    Failure,
    Question,
    Record,
    StubDns,
    address,
    name,
)
from tests.unit.proxycore.net import house
from tests.unit.proxycore.net.house import open_fds

NOT_BY_SOCKET = {
    **{
        f"{protocol}/too_many_logins": "nobody is asked; tests/integration/test_login_limits.py"
        for protocol in ("imap", "pop3", "smtp")
    },
    "imap/auth_answer_would_inject": "no header of an auth reply can hold a line end",
    "imap/login_failed_text_is_cleaned": "no header of an auth reply can hold a line end",
}
"""Stories nobody can tell through sockets, each with the reason."""

CORPUS = [dialogue for dialogue in load_all() if dialogue.name not in NOT_BY_SOCKET]
CUTTABLE = [dialogue for dialogue in CORPUS if not dialogue.is_cut_sensitive]
_CLIENT = "client.example.org"


@pytest.fixture(scope="module")
def dns() -> Generator[StubDns, None, None]:
    with StubDns(_resolve) as server:
        yield server


@pytest.fixture(scope="module")
def parties(tmp_path_factory: pytest.TempPathFactory) -> Parties:
    return Parties(tmp_path_factory.mktemp("parties"))


@pytest.fixture
def stage(
    dns: StubDns, parties: Parties, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Stage]:
    before = open_fds()
    with staged(tmp_path, monkeypatch, parties) as ready:
        yield ready
    assert open_fds() == before


@pytest.mark.parametrize("dialogue", CORPUS, ids=lambda dialogue: dialogue.name)
def test_whole(dialogue: Dialogue, stage: Stage, dns: StubDns) -> None:
    SocketPlayer(dialogue, stage, dns=_names(dialogue, dns)).play().leave()


@pytest.mark.parametrize("dialogue", CUTTABLE, ids=lambda dialogue: dialogue.name)
def test_cut_at_random(dialogue: Dialogue, stage: Stage, dns: StubDns) -> None:
    chance = random.Random(dialogue.name)
    cut = at_random(lambda most: chance.randint(1, most))
    SocketPlayer(dialogue, stage, cut=cut, dns=_names(dialogue, dns)).play().leave()


def test_every_exception_is_a_story() -> None:
    assert {dialogue.name for dialogue in load_all()} >= set(NOT_BY_SOCKET)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("S: * BAD", "S: * BAT"),
        ("user=joe", "user=jim"),
        ('B: a1 LOGIN "joe"', 'B: a1 LOGIN "jim"'),
        ("Close backend_closed", "Close backend_rejected"),
        ("S: * BAD internal server error\n", ""),
    ],
)
def test_a_story_that_is_not_so_is_noticed(
    right: str, wrong: str, stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(house, "DEADLINE_S", 0.1)
    text = (CORPUS_FOLDER / "imap" / "back_closes.dialogue").read_text()
    assert right in text
    path = tmp_path / "wrong.dialogue"
    path.write_text(text.replace(right, wrong))
    with pytest.raises(AssertionError):
        SocketPlayer(load(path), stage).play()


def _names(dialogue: Dialogue, dns: StubDns) -> str:
    """Give the name server to a story with names in it."""
    servers = [
        line.facts.get("server", b"") for line in dialogue.lines if isinstance(line, Happened)
    ]
    if dialogue.facts.get("client_host") == _CLIENT or b"mail.example.com" in servers:
        return dns.address
    return ""


def _resolve(question: Question) -> Answer:
    if question.type == PTR:
        return [Record(PTR, name(_CLIENT))]
    if question == Question(_CLIENT, AAAA):
        return [Record(AAAA, socket.inet_pton(socket.AF_INET6, "2001:db8::1"))]
    if question == Question("mail.example.com", A):
        return [Record(A, address("127.0.0.1"))]
    return Failure(NXDOMAIN)
