"""mail_resolver: the client's host name, from name servers good and bad."""

import contextlib
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from tests.peer.numbered import like
from tests.peer.stage import Stage, staged, to
from tests.support import stub_dns
from tests.support.strangers import trusting
from tests.support.stub_auth import Answer, Request
from tests.support.stub_backends import SmtpStub
from tests.support.stub_dns import CNAME, DNAME, PTR, Failure, Question, Record, StubDns
from tests.support.talk import Smtp

_MAIL = """
    auth_http http://@AUTH@/mail/auth;
    smtp_auth none;
    server_name locahost;
    proxy_timeout 15s;
    resolver_timeout 2s;
    server { listen @1@; protocol smtp; resolver @GOOD@ @SERVFAIL@ @BROKEN@; }
    server { listen @2@; protocol smtp; resolver @SERVFAIL@; }
    server { listen @3@; protocol smtp; resolver @EMPTY@; resolver_timeout 1s; }
    server { listen @4@; protocol smtp; resolver @CNAME@; }
    server { listen @5@; protocol smtp; resolver @UNCOMPRESSED@; }
    server { listen @6@; protocol smtp; resolver @DNAME@; resolver_timeout 1s; }
    server { listen @7@; protocol smtp; resolver @BOTH@; }
    server {
        listen @8@ ssl;
        protocol smtp;
        resolver @EMPTY@;
        resolver_timeout 1s;
        ssl_certificate @CRT@;
        ssl_certificate_key @KEY@;
    }
"""
_HOST = "a.example.net"
_REVERSE = stub_dns.reverse("127.0.0.1")
_POINTED = "1.1.0.0.127.in-addr.arpa"

_Decide = Callable[[Question], stub_dns.Answer]


def _reverse_zone(*records: Record) -> _Decide:
    """Answer the reverse lookup with these records, and know the host's address."""

    def decide(question: Question) -> stub_dns.Answer:
        if question.type == PTR:
            return list(records)
        if question == Question(_HOST, stub_dns.A):
            return [Record(stub_dns.A, stub_dns.address("127.0.0.1"))]
        return []

    return decide


def _fails_in_reverse(question: Question) -> stub_dns.Answer:
    # nginx asks its servers in turn: this one about the name the good one gave
    if question.type == PTR:
        return Failure(stub_dns.SERVFAIL)
    return _reverse_zone()(question)


_ZONES: dict[str, _Decide] = {
    "GOOD": _reverse_zone(Record(PTR, stub_dns.name(_HOST))),
    "SERVFAIL": _fails_in_reverse,
    "BROKEN": lambda _: b"\xc0",
    "EMPTY": _reverse_zone(Record(PTR, b"")),
    "CNAME": _reverse_zone(Record(CNAME, stub_dns.name(_POINTED))),
    "UNCOMPRESSED": _reverse_zone(Record(PTR, stub_dns.name(_HOST), name=_REVERSE)),
    "DNAME": _reverse_zone(Record(DNAME, stub_dns.name(_POINTED))),
    "BOTH": _reverse_zone(
        Record(CNAME, stub_dns.name(_POINTED)),
        Record(PTR, stub_dns.name(_HOST), name=_POINTED),
    ),
}


@pytest.fixture(scope="module")
def stage(
    kind: str, smtp_backend: SmtpStub, certificate: dict[str, Path]
) -> Generator[Stage, None, None]:
    def decide(request: Request) -> Answer:
        host = request["Client-Host"]
        status = host if "UNAVAIL" in host else "OK"
        return to(smtp_backend) | {"Auth-Status": status, "Auth-Wait": ""}

    with contextlib.ExitStack() as stack:
        servers = {name: stack.enter_context(StubDns(zone)) for name, zone in _ZONES.items()}
        words = {name: server.address for name, server in servers.items()} | certificate
        yield stack.enter_context(staged(kind, _MAIL, decide, words=words))


def _rcpt(talk: Smtp) -> str:
    """Go on from EHLO to RCPT, and give its answer."""
    talk.ask("EHLO example.com")
    talk.ask("MAIL FROM:<test@example.com> SIZE=100")
    answer = talk.ask("RCPT TO:<test@example.com>")
    talk.send("QUIT")
    talk.line()
    return answer


def test_01_to_03_a_confirmed_name_is_looked_up_once(stage: Stage) -> None:
    # no greeting is waited for, so that the second session begins while the name is looked up
    with Smtp(stage.ports[0]) as first, Smtp(stage.ports[0]) as second:
        first.line()
        like(1, _rcpt(first), first.ok)
        second.line()
        like(2, second.ask("EHLO example.com"), second.ok)
        second.ask("QUIT")
    with stage.smtp(1) as third:
        like(3, _rcpt(third), third.ok)


@pytest.mark.parametrize(
    ("number", "server", "wanted"),
    [
        (4, 2, "TEMPUNAVAIL"),
        (8, 5, Smtp.ok),
        (9, 6, "TEMPUNAVAIL"),
        (10, 7, Smtp.ok),
    ],
)
def test_04_08_09_10_answers(stage: Stage, number: int, server: int, wanted: str) -> None:
    with stage.smtp(server) as talk:
        like(number, _rcpt(talk), wanted)


def test_05_06_two_sessions_wait_for_one_lookup(stage: Stage) -> None:
    with Smtp(stage.ports[2]) as first, Smtp(stage.ports[2]) as second:
        first.line()
        like(5, _rcpt(first), "TEMPUNAVAIL")
        second.line()
        like(6, second.ask("EHLO example.com"), second.ok)


def test_07_an_alias_is_not_followed(stage: Stage) -> None:
    # nginx's own test marks this as to be done: it wants a name, and gets this from nginx
    with stage.smtp(4) as talk:
        like(7, _rcpt(talk), "TEMPUNAVAIL")


def test_11_input_while_the_name_is_looked_up_is_kept(stage: Stage) -> None:
    with Smtp(stage.ports[7]) as talk:
        talk.seal(trusting())
        talk.send("EHLO example.com")
        like(11, talk.line(), "^220 ")
        like(11, talk.line(), "^250 ")
        like(11, talk.ask("MAIL FROM:<test@example.com> SIZE=100"), talk.ok)
        like(11, talk.ask("RCPT TO:<test@example.com>"), "TEMPUNAVAIL")
