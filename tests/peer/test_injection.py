"""No octet of a client or an auth service becomes a command, a header or a reply of somebody else.

Where nginx has the hole the test is for ours alone (CVE numbers are of this class).
"""

import base64
import random
import re
from collections.abc import Generator

import pytest

from tests.peer.stage import Stage, staged
from tests.support.stub_backends import ImapStub, Pop3Stub, SmtpStub
from tests.support.talk import Talk, b64, plain

_MAIL = """
    auth_http http://@AUTH@/mail/auth;
    proxy_timeout 15s;
    server_name mx.example.com;
    imap_auth plain login;
    server { listen @1@; protocol imap; }
    server { listen @2@; protocol pop3; }
    server { listen @3@; protocol smtp; smtp_auth plain login; }
    server { listen @4@; protocol smtp; smtp_auth plain login; proxy_smtp_auth on; xclient off; }
"""
_PROTOCOLS = ("imap", "pop3", "smtp", "smtp")
_ENDS = ["\r\n", "\n", "\r", "\0"]
_INVALID = ("a BAD invalid command", "-ERR invalid command", "500 5.5.1 Invalid command")
_REFUSED = tuple(
    f"{answer} Invalid login or password" for answer in ("a NO", "-ERR", "535 5.7.0", "535 5.7.0")
)
"""In the words of a wrong password."""
_ALL_OCTETS = "".join(chr(octet) for octet in range(1, 256) if chr(octet) not in "\r\n")


@pytest.fixture(scope="module")
def ports(imap_backend: ImapStub, pop3_backend: Pop3Stub, smtp_backend: SmtpStub) -> dict[str, int]:
    return {"imap": imap_backend.port, "pop3": pop3_backend.port, "smtp": smtp_backend.port}


@pytest.fixture(scope="module")
def stage(kind: str) -> Generator[Stage, None, None]:
    with staged(kind, _MAIL, lambda _: None) as running:
        yield running


@pytest.fixture(autouse=True)
def _all_accepted(
    stage: Stage,
    ports: dict[str, int],
    imap_backend: ImapStub,
    pop3_backend: Pop3Stub,
    smtp_backend: SmtpStub,
) -> None:
    for backend in (imap_backend, pop3_backend, smtp_backend):
        backend.clear()
    pop3_backend.script = lambda _: "+OK"
    stage.auth.clear()
    stage.auth.decide = lambda request: {
        "Auth-Status": "OK",
        "Auth-Server": "127.0.0.1",
        "Auth-Port": str(ports[request["Auth-Protocol"]]),
    }


def _talk(stage: Stage, server: int) -> Talk:
    connect = (stage.imap, stage.pop3, stage.smtp, stage.smtp)[server - 1]
    talk: Talk = connect(server)
    return talk


def _sasl(server: int, mechanism: str, *responses: str) -> list[str]:
    verb = "a AUTHENTICATE" if server == 1 else "AUTH"
    return [f"{verb} {mechanism}", *responses]


def _last(talk: Talk, lines: list[str]) -> str:
    """Send line by line; the first word of an exchange that failed ends it."""
    answer = ""
    for line in lines:
        answer = talk.ask(line)
        if not re.match(r"\+ |334 ", answer):
            break
    return answer


# --- what clients send --------------------------------------------------------------------------


@pytest.mark.ours("nginx passes line ends on (CVE-2026-27651 is a neighbour)")
@pytest.mark.parametrize("end", _ENDS, ids=repr)
@pytest.mark.parametrize("server", [1, 2, 3, 4])
def test_line_ends_in_sasl_are_refused_before_anybody_is_asked(
    stage: Stage, server: int, end: str
) -> None:
    evil = f"u{end}DELE 1"
    tries = [
        _sasl(server, "LOGIN", b64(evil), b64("p")),
        _sasl(server, "LOGIN", b64("u"), b64(evil)),
        _sasl(server, f"LOGIN {b64(evil)}", b64("p")),
    ]
    if end != "\0":  # one more of these is one part more
        tries.append(_sasl(server, f"PLAIN {plain(evil, 'p')}"))
        tries.append(_sasl(server, f"PLAIN {plain('u', evil)}"))
        tries.append(_sasl(server, "PLAIN", plain(evil, "p")))
    for lines in tries:
        with _talk(stage, server) as talk:
            assert _last(talk, lines) == _REFUSED[server - 1], lines
    assert stage.auth.requests == []


@pytest.mark.ours("nginx passes line ends on")
@pytest.mark.parametrize("end", _ENDS, ids=repr)
def test_line_ends_in_imap_literals_are_refused(stage: Stage, end: str) -> None:
    evil = f"u{end}b NOOP"
    with stage.imap() as talk:
        talk.send(f"a LOGIN {{{len(evil)}+}}", f"{evil} p")
        assert talk.line() == _REFUSED[0]
    with stage.imap() as talk:
        talk.send(f"a LOGIN u {{{len(evil)}+}}", evil)
        assert talk.line() == _REFUSED[0]
    assert stage.auth.requests == []


@pytest.mark.parametrize("server", [1, 2])
def test_every_other_octet_arrives_unchanged_everywhere(
    stage: Stage,
    imap_backend: ImapStub,
    pop3_backend: Pop3Stub,
    server: int,
) -> None:
    # two halves, so that nginx's small POP3 buffer takes them
    for octets in (_ALL_OCTETS[i : i + 30] for i in range(0, len(_ALL_OCTETS), 30)):
        stage.auth.clear()
        backend = (imap_backend, pop3_backend)[server - 1]
        with _talk(stage, server) as talk:
            assert "OK" in _last(talk, _sasl(server, f"PLAIN {plain(octets, octets[::-1])}"))
        (request,) = stage.auth.requests
        escaped = "".join(
            f"%{ord(octet):02X}" if octet <= " " or octet == "%" else octet for octet in octets
        )
        assert request["Auth-User"] == escaped
        received = backend.received()
        if server == 2:
            assert received == [f"USER {octets}", f"PASS {octets[::-1]}"]
        else:
            tag = re.escape("a LOGIN ")
            size = len(octets)
            pattern = (
                f"{tag}\\{{{size}\\}}{re.escape(octets)} \\{{{size}\\}}{re.escape(octets[::-1])}"
            )
            quoted = "a LOGIN " + " ".join(
                '"' + re.sub(r'(["\\])', r"\\\1", text) + '"' for text in (octets, octets[::-1])
            )
            (line,) = received
            assert line == quoted or re.fullmatch(pattern, line, re.DOTALL)


@pytest.mark.parametrize("server", [1, 2, 3])
def test_no_login_adds_a_header(stage: Stage, server: int) -> None:
    chance = random.Random(server)
    stage.auth.decide = lambda _: {"Auth-Status": "No"}
    lines = 8 + (server == 3)
    for _ in range(40):
        size = chance.randint(1, 30)
        login = "".join(chance.choices([*": %=+\t\r\n\x85\x0b\x0c\xa0", "Auth-User", "u"], k=size))
        stage.auth.clear()
        with _talk(stage, server) as talk:
            _last(talk, _sasl(server, f"PLAIN {plain(login[:60], 'p')}"))
        for request in stage.auth.requests:
            assert request.common.count(b"\n") == lines + 1
            assert request.common.count(b"\r") == lines + 1
            assert sum(line.startswith("Auth-User:") for line in request.lines) == 1


@pytest.mark.parametrize(
    "hello", ["a\rX-Evil: 1", "a\0b", "[127.0.0.1]", "a\x0bX: 1", "a\x85b", "\xff"], ids=repr
)
def test_no_hello_becomes_another_command_at_the_mail_server(
    stage: Stage, smtp_backend: SmtpStub, hello: str
) -> None:
    with stage.smtp(3) as talk:
        accepted = talk.ask(f"EHLO {hello}").startswith("250")
        assert talk.ask(f"AUTH PLAIN {plain('u', 'p')}") == "235 2.0.0 OK"
    received = smtp_backend.received()
    assert received[0] == "EHLO mx.example.com"
    assert received[2:] == ([f"EHLO {hello}"] if accepted else [])
    assert all("\r" not in line for line in received)


def _xtext(text: str) -> str:
    return re.sub(r"\+([0-9A-F]{2})", lambda found: chr(int(found[1], 16)), text)


@pytest.mark.ours("nginx sends logins as xtext since 1.29.2 only")
@pytest.mark.parametrize(
    "login",
    [
        "us er+=x",
        "u ADDR=10.0.0.1",
        "u=NAME=evil",
        "+41",
        "\t\x01\x7f",
        "\xe9\xff",
        # as many as a value may have octets, and no more (proxycore.dialogue.back_smtp)
        _ALL_OCTETS[:100],
        _ALL_OCTETS[100:180],
        _ALL_OCTETS[180:],
    ],
    ids=repr,
)
def test_xclient_says_one_login_and_no_more(
    stage: Stage, smtp_backend: SmtpStub, login: str
) -> None:
    with stage.smtp(3) as talk:
        assert talk.ask(f"AUTH PLAIN {plain(login, 'p')}") == "235 2.0.0 OK"
    line = smtp_backend.received()[1]
    found = re.fullmatch(
        r"XCLIENT ADDR=127\.0\.0\.1 LOGIN=([!-*,-<>-~]|\+[0-9A-F]{2})+ NAME=\S+", line
    )
    assert found, line
    assert _xtext(line.split()[2].removeprefix("LOGIN=")) == login
    assert line.endswith(" NAME=[UNAVAILABLE]")


def test_smtp_login_at_the_mail_server_is_exact(stage: Stage, smtp_backend: SmtpStub) -> None:
    login = password = _ALL_OCTETS[:100]
    with stage.smtp(4) as talk:
        assert talk.ask(f"AUTH PLAIN {plain(login, password)}") == "235 2.0.0 OK"
    sent = smtp_backend.received()[-1].removeprefix("AUTH PLAIN ")
    assert base64.b64decode(sent).decode("latin-1") == f"\0{login}\0{password}"


@pytest.mark.parametrize(
    "command", ["XCLIENT ADDR=10.0.0.1", "XFORWARD ADDR=10.0.0.1", "PROXY TCP4 1 2 3 4"]
)
def test_clients_cannot_say_who_they_are(stage: Stage, command: str) -> None:
    with stage.smtp(3) as talk:
        assert talk.ask(command) == "500 5.5.1 Invalid command"
        talk.ask(f"AUTH PLAIN {plain('u', 'p')}")
    assert stage.auth.requests[0]["Client-IP"] == "127.0.0.1"


@pytest.mark.parametrize(
    "offered",
    [
        *("CRAM-MD5", "EXTERNAL", "XOAUTH2", "OAUTHBEARER", "NTLM", "X"),
        *(f"{name} {b64('u')}" for name in ("CRAM-MD5", "XOAUTH2", "OAUTHBEARER", "NTLM", "X")),
    ],
)
@pytest.mark.parametrize("server", [1, 2, 3])
def test_what_is_not_announced_is_refused(stage: Stage, server: int, offered: str) -> None:
    with _talk(stage, server) as talk:
        (line,) = _sasl(server, offered)
        assert talk.ask(line) == _INVALID[server - 1]
        assert "OK" in talk.ask("b NOOP" if server == 1 else "NOOP")
    assert stage.auth.requests == []


@pytest.mark.ours("nginx checks the exchange with a challenge only; freenginx mended it")
@pytest.mark.parametrize("server", [1, 2, 3])
def test_external_is_refused_with_an_initial_response_too(stage: Stage, server: int) -> None:
    with _talk(stage, server) as talk:
        (line,) = _sasl(server, f"EXTERNAL {b64('u')}")
        assert talk.ask(line) == _INVALID[server - 1]
    assert stage.auth.requests == []


# --- what auth services say ---------------------------------------------------------------------


@pytest.mark.ours("nginx believes its auth service")
@pytest.mark.parametrize("evil", ["u\rDELE 1", "u\0x"], ids=repr)
@pytest.mark.parametrize("field", ["Auth-User", "Auth-Pass"])
@pytest.mark.parametrize("server", [1, 2, 3, 4])
def test_line_ends_in_credentials_of_the_auth_service_are_a_fault(
    stage: Stage, ports: dict[str, int], server: int, field: str, evil: str
) -> None:
    port = ports[_PROTOCOLS[server - 1]]
    fields = {"Auth-Server": "127.0.0.1", "Auth-Port": str(port), field: evil}
    stage.auth.decide = lambda _: fields
    with _talk(stage, server) as talk:
        (line,) = _sasl(server, f"PLAIN {plain('u', 'p')}")
        talk.send(line)
        assert "nternal server error" in talk.rest()


@pytest.mark.ours("nginx believes its auth service")
@pytest.mark.parametrize(
    "evil",
    ["no\rb OK in", "no\0", "n\x1b[2Jo", "no" + "x" * 5000],
    ids=["cr", "nul", "escape", "long"],
)
@pytest.mark.parametrize("server", [1, 2, 3])
def test_failure_texts_stay_one_printable_line(stage: Stage, server: int, evil: str) -> None:
    stage.auth.decide = lambda _: {"Auth-Status": evil}
    with _talk(stage, server) as talk:
        (line,) = _sasl(server, f"PLAIN {plain('u', 'p')}")
        talk.send(line)
        rest = talk.rest()
    assert rest.count("\n") == rest.count("\r") == 1
    wanted = ("a NO n", "-ERR n", "535 5.7.0 n")[server - 1]
    assert rest.startswith(wanted) or "nternal server error" in rest
    assert not re.search(r"[\x00-\x1f\x7f]", rest.removesuffix("\r\n"))
    assert len(rest) <= 512 + len("535 5.7.0 \r\n")


@pytest.mark.ours("nginx believes its auth service")
@pytest.mark.parametrize("code", ["x", "535\r250 ok", "999 9.9.9", "5"], ids=repr)
def test_only_error_codes_of_smtp_are_error_codes(stage: Stage, code: str) -> None:
    stage.auth.decide = lambda _: {"Auth-Status": "no", "Auth-Error-Code": code}
    with stage.smtp(3) as talk:
        talk.send(f"AUTH PLAIN {plain('u', 'p')}")
        rest = talk.rest()
    assert re.fullmatch(r"[45]\d\d [^\r\n]*\r\n", rest), rest


@pytest.mark.parametrize("code", ["454 4.7.0", "535 5.7.8", "421 4.3.2"])
def test_error_codes_are_used(stage: Stage, code: str) -> None:
    stage.auth.decide = lambda _: {"Auth-Status": "no", "Auth-Error-Code": code}
    with stage.smtp(3) as talk:
        talk.send(f"AUTH PLAIN {plain('u', 'p')}")
        assert talk.rest() == f"{code} no\r\n"
