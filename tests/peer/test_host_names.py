"""The client's host name is what its address confirms, and never more than a name."""

import contextlib
from collections.abc import Generator

import pytest

from tests.peer.stage import Stage, staged
from tests.support import stub_dns
from tests.support.stub_backends import SmtpStub
from tests.support.stub_dns import AAAA, NXDOMAIN, PTR, A, Failure, Question, Record, StubDns
from tests.support.talk import Smtp, plain

_MAIL = """
    auth_http http://@AUTH@/mail/auth;
    server_name mx.example.com;
    proxy_timeout 15s;
    resolver_timeout 1s;
    smtp_auth plain;
    server { listen @1@; protocol smtp; resolver @DNS@; }
"""
_AUTH = f"AUTH PLAIN {plain('u', 'p')}"
_NEXT = iter(range(2, 250))


class Zone:
    """What the name server says; tests set it. Each test comes from an address of its own."""

    def __init__(self) -> None:
        self.pointer: stub_dns.Answer = []
        self.forward: dict[int, stub_dns.Answer] = {}

    def decide(self, question: Question) -> stub_dns.Answer:
        """Answer."""
        if question.type == PTR:
            # the proxy's start is asked about, too
            return [] if question.name == stub_dns.reverse("127.0.0.1") else self.pointer
        return self.forward.get(question.type, [])


@pytest.fixture(scope="module")
def zone() -> Zone:
    return Zone()


@pytest.fixture(scope="module")
def stage(kind: str, zone: Zone, smtp_backend: SmtpStub) -> Generator[Stage, None, None]:
    answer = {"Auth-Server": "127.0.0.1", "Auth-Port": str(smtp_backend.port)}
    with contextlib.ExitStack() as stack:
        dns = stack.enter_context(StubDns(zone.decide))
        words = {"DNS": dns.address}
        yield stack.enter_context(staged(kind, _MAIL, lambda _: answer, words=words))


@pytest.fixture
def address() -> str:
    """An address of this machine nobody had before: answers about it are in no cache."""
    return f"127.0.7.{next(_NEXT)}"


@pytest.fixture(autouse=True)
def _cleared(stage: Stage, smtp_backend: SmtpStub) -> None:
    stage.auth.clear()
    smtp_backend.clear()


def _told(stage: Stage, backend: SmtpStub, address: str) -> str:
    """Log in from an address; gives the name the auth service and the mail server were told."""
    with Smtp(stage.ports[0], source=address) as talk:
        assert talk.line().startswith("220 ")
        assert talk.ask(_AUTH) == "235 2.0.0 OK"
    (request,) = stage.auth.requests
    assert request.raw.count(b"\nClient-Host: ") == 1
    assert len(request.common.split(b"\r\n")) == 11
    name = request["Client-Host"]
    wanted = f"XCLIENT ADDR={address} LOGIN=u NAME={name}"
    assert backend.received()[1] == wanted
    return name


def _named(zone: Zone, name: str, address: str) -> None:
    zone.pointer = [Record(PTR, stub_dns.name(name))]
    zone.forward = {A: [Record(A, stub_dns.address(address))]}


def test_a_name_that_leads_back_is_believed(
    stage: Stage, zone: Zone, smtp_backend: SmtpStub, address: str
) -> None:
    _named(zone, f"host-{address.replace('.', '-')}.Example.NET", address)
    expected = f"host-{address.replace('.', '-')}.example.net"
    assert _told(stage, smtp_backend, address).lower() == expected


def test_one_of_several_addresses_is_enough(
    stage: Stage, zone: Zone, smtp_backend: SmtpStub, address: str
) -> None:
    _named(zone, "several.example.net", address)
    records = [Record(A, stub_dns.address(ip)) for ip in ("192.0.2.1", address, "192.0.2.2")]
    zone.forward = {A: records}
    assert _told(stage, smtp_backend, address) == "several.example.net"


def test_a_name_that_leads_elsewhere_is_not(
    stage: Stage, zone: Zone, smtp_backend: SmtpStub, address: str
) -> None:
    _named(zone, "elsewhere.example.net", "192.0.2.1")
    assert _told(stage, smtp_backend, address) == "[UNAVAILABLE]"


def test_no_name_is_not_available(
    stage: Stage, zone: Zone, smtp_backend: SmtpStub, address: str
) -> None:
    zone.pointer = Failure(NXDOMAIN)
    assert _told(stage, smtp_backend, address) == "[UNAVAILABLE]"


def test_a_name_without_addresses_is_not_available(
    stage: Stage, zone: Zone, smtp_backend: SmtpStub, address: str
) -> None:
    _named(zone, "nowhere.example.net", address)
    zone.forward = {A: Failure(NXDOMAIN), AAAA: Failure(NXDOMAIN)}
    assert _told(stage, smtp_backend, address) == "[UNAVAILABLE]"


def test_silence_is_not_available_for_now(
    stage: Stage, zone: Zone, smtp_backend: SmtpStub, address: str
) -> None:
    zone.pointer = None
    assert _told(stage, smtp_backend, address) == "[TEMPUNAVAIL]"


@pytest.mark.nginx_since("1.29.7")  # CVE-2026-28753
@pytest.mark.parametrize(
    "label",
    [
        b"evil\r\nAuth-User: root",
        b"evil\nX: 1",
        b"evil host",
        b"evil%0d%0a",
        b"evil\0",
        b"\xff\xfe",
        b"a.b c",
        b"evil=1 LOGIN=root",
        b"x" * 63,
    ],
    ids=repr,
)
def test_a_name_that_is_no_host_name_is_never_told(
    stage: Stage, zone: Zone, smtp_backend: SmtpStub, address: str, label: bytes
) -> None:
    zone.pointer = [Record(PTR, stub_dns.labels(label, b"example", b"net"))]
    zone.forward = {A: [Record(A, stub_dns.address(address))]}
    name = _told(stage, smtp_backend, address)
    harmless = label == b"x" * 63
    assert name == (f"{'x' * 63}.example.net" if harmless else "[TEMPUNAVAIL]")
