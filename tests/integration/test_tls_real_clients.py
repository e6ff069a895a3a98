"""Mail programs from Debian × how they call us × how we call real mail servers, all verified.

Every program knows our name and one authority, and so do we of the mail servers.
"""

import base64
import hashlib
import itertools
import random
import re
import smtplib
import ssl
import subprocess
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from tests.support import clients, mail_programs
from tests.support.cast import ALICE, PASSWORDS
from tests.support.dovecot import Dovecot
from tests.support.postfix import Postfix
from tests.support.require import program
from tests.support.talk import Imap, Pop3, Smtp, Talk, plain
from tests.support.tls_house import FAULTS, FRONT_NAME, MODES, NAME, Fronts, House, Servers
from tests.support.wait import eventually

pytestmark = pytest.mark.integration

PASSWORD = PASSWORDS[ALICE]
WELCOME = "Subject: Welcome to tlshost"
Done = mail_programs.Done


@pytest.fixture(scope="module")
def house() -> Generator[House, None, None]:
    with House() as built:
        yield built


@pytest.fixture(scope="module")
def servers(house: House) -> Generator[Servers, None, None]:
    pair = house.authority.issue(NAME)
    with (
        Dovecot("tlshost", PASSWORDS, pair=pair) as dovecot,
        Postfix("tlsmta", sasl=dovecot, sasl_required=True, pair=pair) as postfix,
    ):
        yield Servers(dovecot, postfix)


Program = Callable[[House, Fronts, str, Path], Done]
"""Logs in by the mode, to one of the server blocks; fetches or sends if it can."""


def _curl_imap(house: House, fronts: Fronts, mode: str, home: Path) -> Done:
    return _curl(house, fronts, "imap", mode, "/INBOX;MAILINDEX=1")


def _curl_pop3(house: House, fronts: Fronts, mode: str, home: Path) -> Done:
    return _curl(house, fronts, "pop3", mode, "/1")


def _curl_smtp(house: House, fronts: Fronts, mode: str, home: Path) -> Done:
    letter = clients.write_letter(home / "letter.eml", f"by {home.name}")
    envelope = ("--mail-from", "sender@postroad.test", "--mail-rcpt", "someone@postroad.test")
    return _curl(house, fronts, "smtp", mode, "", "--upload-file", str(letter), *envelope)


def _curl(house: House, fronts: Fronts, protocol: str, mode: str, path: str, *more: str) -> Done:
    tls = house.tls(mode)
    if mode == "starttls":
        more += ("--ssl-reqd",)
    scheme = f"{protocol}s" if mode == "implicit" else protocol
    url = f"{scheme}://{tls.host}:{fronts.port(protocol, mode)}{path}"
    believes = ("--cacert", str(tls.authority))
    return clients.curl(url, "--user", f"{ALICE}:{PASSWORD}", *believes, *more)


def _fetchmail_imap(house: House, fronts: Fronts, mode: str, home: Path) -> Done:
    return _fetchmail(house, fronts, "imap", mode, home)


def _fetchmail_pop3(house: House, fronts: Fronts, mode: str, home: Path) -> Done:
    return _fetchmail(house, fronts, "pop3", mode, home)


def _fetchmail(house: House, fronts: Fronts, protocol: str, mode: str, home: Path) -> Done:
    port = fronts.port(protocol, mode)
    done, fetched = mail_programs.fetchmail(
        home, protocol, port, ALICE, PASSWORD, tls=house.tls(mode)
    )
    return _with(done, fetched)


def _mbsync(house: House, fronts: Fronts, mode: str, home: Path) -> Done:
    done, messages = mail_programs.mbsync(
        home, fronts.port("imap", mode), ALICE, PASSWORD, tls=house.tls(mode)
    )
    return _with(done, b"".join(messages).decode())


def _with(done: Done, fetched: str) -> Done:
    done.stdout = fetched.encode() + done.stdout
    return done


def _msmtp(house: House, fronts: Fronts, mode: str, home: Path) -> Done:
    message = clients.letter(f"by {home.name}").as_bytes()
    port, tls = fronts.port("smtp", mode), house.tls(mode)
    return mail_programs.msmtp(home, port, ALICE, PASSWORD, message, tls=tls)


def _swaks(house: House, fronts: Fronts, mode: str, home: Path) -> Done:
    port, tls = fronts.port("smtp", mode), house.tls(mode)
    return mail_programs.swaks(home, port, ALICE, PASSWORD, f"by {home.name}", tls=tls)


PROGRAMS: dict[str, tuple[str, Program]] = {
    "curl imap": ("imap", _curl_imap),
    "curl pop3": ("pop3", _curl_pop3),
    "curl smtp": ("smtp", _curl_smtp),
    "fetchmail imap": ("imap", _fetchmail_imap),
    "fetchmail pop3": ("pop3", _fetchmail_pop3),
    "mbsync": ("imap", _mbsync),
    "msmtp": ("smtp", _msmtp),
    "swaks": ("smtp", _swaks),
}


@pytest.mark.parametrize("back", MODES)
@pytest.mark.parametrize("front", MODES)
@pytest.mark.parametrize("name", PROGRAMS)
def test_mail_passes(
    house: House, servers: Servers, tmp_path: Path, name: str, front: str, back: str
) -> None:
    protocol, run = PROGRAMS[name]
    house.lead_to(servers.port(protocol, back), back)
    before = len(house.records())
    done = run(house, house.front, front, tmp_path)
    assert done.returncode == 0, _said(done)
    if protocol == "smtp":
        message = servers.postfix.wait_for_message(f"Subject: by {tmp_path.name}\n".encode())
        assert (b"with ESMTPSA" in message) is (back != "plain")
    else:
        assert WELCOME in _said(done)
    record = house.new_record(before, protocol=protocol, login=ALICE, reason="done")
    _assert_sealed(record, "front_tls", front)
    _assert_sealed(record, "back_tls", back)
    if back != "plain":
        assert (record["back_tls"]["verify"], record["back_tls"]["sni"]) == ("SUCCESS", NAME)
    if front != "plain":
        assert record["front_tls"]["sni"] == FRONT_NAME


@pytest.mark.parametrize("front", MODES)
def test_mutt_sends_and_keeps_a_copy(
    house: House, servers: Servers, tmp_path: Path, front: str
) -> None:
    house.lead_to_all(servers, "implicit" if front == "starttls" else "starttls")
    text = f"written in mutt, {front}"
    with Imap.greeted(house.front.clear.imap) as talk:
        talk.send(_login("zoe"), "b CREATE Sent")
        _until(talk, "b ")  # it may be there already
    tls, ports = house.tls(front), [house.front.port(one, front) for one in ("smtp", "imap")]
    done = mail_programs.mutt(
        tmp_path, ports[0], ports[1], "zoe", PASSWORDS["zoe"], f"{text}\n".encode(), tls=tls
    )
    assert done.returncode == 0, _said(done)
    assert b"Subject: mutt" in servers.postfix.wait_for_message(text.encode())
    kept = (servers.dovecot.mail / "zoe" / ".Sent").glob("*/*")
    assert any(text.encode() in path.read_bytes() for path in kept if path.is_file())


# --- a certificate of ours that clients do not believe --------------------------------------------


def _mutt(house: House, fronts: Fronts, mode: str, home: Path) -> Done:
    ports = [fronts.port(one, mode) for one in ("smtp", "imap")]
    return mail_programs.mutt(home, *ports, "zoe", PASSWORDS["zoe"], b"x\n", tls=house.tls(mode))


SUSPICIOUS: dict[str, Program] = {
    **{name: run for name, (_, run) in PROGRAMS.items()},
    "mutt": _mutt,
}


@pytest.mark.parametrize(
    ("name", "fault"),
    # this swaks looks at no name
    sorted({*itertools.product(SUSPICIOUS, FAULTS)} - {("swaks", "wrong name")}),
)
def test_a_client_refuses_us(
    house: House, servers: Servers, tmp_path: Path, name: str, fault: str
) -> None:
    house.lead_to_all(servers, "implicit")
    asked = len(house.auth.asked)
    # by turns, so that each program and each fault meets both
    mode = ("starttls", "implicit")[(list(SUSPICIOUS).index(name) + FAULTS.index(fault)) % 2]
    done = SUSPICIOUS[name](house, house.faulty[fault], mode, tmp_path)
    assert done.returncode != 0, _said(done)
    assert "ertificate" in _said(done)
    assert len(house.auth.asked) == asked


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("protocol", ["imap", "pop3", "smtp"])
@pytest.mark.parametrize("mode", ["starttls", "implicit"])
def test_openssl_says_what_is_wrong_with_us(
    house: House, mode: str, protocol: str, fault: str
) -> None:
    assert "Verification: OK" in _s_client(house, house.front, protocol, mode)
    said = {"wrong name": "hostname mismatch", "expired": "has expired", "self-signed": "self"}
    assert "verify error:num" in _s_client(house, house.faulty[fault], protocol, mode)
    assert said[fault] in _s_client(house, house.faulty[fault], protocol, mode)


def _s_client(house: House, fronts: Fronts, protocol: str, mode: str) -> str:
    tls = house.tls(mode)
    argv = [program("openssl"), "s_client", "-connect", f"127.0.0.1:{fronts.port(protocol, mode)}"]
    argv += ["-servername", tls.host, "-verify_hostname", tls.host, "-CAfile", str(tls.authority)]
    if mode == "starttls":
        argv += ["-starttls", protocol]
    done = subprocess.run(argv, input=b"", capture_output=True, check=False, timeout=20)
    return _said(done)


# --- what passes ----------------------------------------------------------------------------------


@pytest.mark.parametrize("back", MODES)
def test_postfix_learns_who_and_from_where_by_xclient(
    house: House, servers: Servers, tmp_path: Path, back: str
) -> None:
    house.lead_to(servers.port("smtp", back), back)
    subject = f"by XCLIENT, {back}"
    done = mail_programs.swaks(
        *(tmp_path, house.xclient_port, ALICE, PASSWORD, subject, "--local-interface", "127.0.0.2"),
        tls=house.tls("starttls"),
    )
    assert done.returncode == 0, _said(done)
    message = servers.postfix.wait_for_message(subject.encode())
    assert b"from laptop.example (unknown [127.0.0.2])" in message
    queue_id = message.partition(b" id ")[2].split()[0].rstrip(b";").decode()
    pattern = f"{queue_id}: client=unknown\\[127.0.0.2\\].*sasl_username={ALICE}"
    eventually(lambda: re.search(pattern, servers.postfix.log()), "the login in Postfix's log")


@pytest.mark.parametrize("back", MODES)
def test_a_proxy_header_goes_on_to_postfix_before_tls(
    house: House, servers: Servers, back: str
) -> None:
    mta = servers.postfix
    house.lead_to(mta.sealed_behind_port if back == "implicit" else mta.behind_port, back)
    subject = f"behind a PROXY header, {back}"
    with Smtp(house.behind_port) as talk:
        talk.send("PROXY TCP4 192.0.2.7 192.0.2.8 99 465")
        talk.seal(_believing(house), FRONT_NAME)
        assert re.search(talk.ok, talk.line())
        talk.ask("EHLO laptop.example")
        answer = talk.ask(f"AUTH PLAIN {plain(ALICE, PASSWORD)}")
        assert re.search(talk.authenticated, answer), answer
        for command in ("MAIL FROM:<a@postroad.test>", "RCPT TO:<b@postroad.test>"):
            assert re.search(talk.ok, talk.ask(command))
        assert talk.ask("DATA").startswith("354 ")
        assert re.search(talk.ok, talk.ask(f"Subject: {subject}", "", "Text.", "."))
    message = mta.wait_for_message(subject.encode())
    assert b"(unknown [192.0.2.7])" in message
    assert (b"with ESMTPSA" in message) is (back != "plain")


def _believing(house: House) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=house.authority.pem)


def _login(login: str) -> str:
    return f"a LOGIN {login} {mail_programs.quoted(PASSWORDS[login])}"


def _until(talk: Talk, beginning: str) -> None:
    """Read until a line begins like this."""
    while not (line := talk.line()).startswith(beginning):
        assert line, f"the end instead of {beginning}"


def _letter_of(size: int) -> bytes:
    text = base64.b64encode(random.Random(size).randbytes(size))
    lines = (text[at : at + 76] for at in range(0, len(text), 76))
    return b"Subject: big\r\n\r\n" + b"".join(line + b"\r\n" for line in lines)


@pytest.mark.parametrize("back", ["starttls", "implicit"])
def test_a_big_message_is_fetched_unchanged(house: House, servers: Servers, back: str) -> None:
    house.lead_to(servers.port("imap", back), back)
    letter = _letter_of(6_000_000)
    servers.dovecot.deliver("bigmail", letter)
    account = ("bigmail", PASSWORDS["bigmail"])
    with clients.imap(house.front.sealed.imap, *account, tls=_believing(house)) as client:
        client.select("INBOX")
        got = clients.fetch(client, "*", "(BODY.PEEK[])")
    assert hashlib.sha256(got).digest() == hashlib.sha256(letter).digest()


@pytest.mark.parametrize("back", ["starttls", "implicit"])
def test_a_big_message_is_sent_unchanged(house: House, servers: Servers, back: str) -> None:
    house.lead_to(servers.port("smtp", back), back)
    letter = f"X-Way: {back}\r\n".encode() + _letter_of(6_000_000)
    with smtplib.SMTP(FRONT_NAME, house.front.clear.smtp) as client:
        client.starttls(context=_believing(house))
        client.login(ALICE, PASSWORD)
        client.sendmail("sender@postroad.test", ["someone@postroad.test"], letter)
    arrived = servers.postfix.wait_for_message(f"X-Way: {back}\n".encode())
    sent = letter.replace(b"\r\n", b"\n")
    # Postfix put its own headers in front
    got = arrived[arrived.index(b"X-Way: ") :]
    assert got.partition(b"\n\n")[2] == sent.partition(b"\n\n")[2]


@pytest.mark.parametrize("mode", ["starttls", "implicit"])
def test_commands_behind_the_login_reach_the_mail_server(
    house: House, servers: Servers, mode: str
) -> None:
    house.lead_to_all(servers, mode)
    with _called(house, Imap, "imap", mode, "a STARTTLS") as talk:
        talk.send(_login("zoe"), "b NOOP", "c LOGOUT")
        for wanted in ("a OK", "b OK", "* BYE", "c OK"):
            _until(talk, wanted)
    with _called(house, Pop3, "pop3", mode, "STLS") as talk:
        talk.send("USER zoe", f"PASS {PASSWORDS['zoe']}", "STAT", "QUIT")
        assert [talk.line()[:3] for _ in range(4)] == ["+OK"] * 4
        assert talk.rest() == ""
    with _called(house, Smtp, "smtp", mode, "STARTTLS") as talk:
        talk.ask("EHLO laptop.example")
        commands = ("MAIL FROM:<a@postroad.test>", "RCPT TO:<b@postroad.test>", "QUIT")
        talk.send(f"AUTH PLAIN {plain('zoe', PASSWORDS['zoe'])}", *commands)
        assert [talk.line()[:3] for _ in range(4)] == ["235", "250", "250", "221"]
        assert talk.rest() == ""


def _called(house: House, kind: type[Talk], protocol: str, mode: str, starttls: str) -> Talk:
    port, context = house.front.port(protocol, mode), _believing(house)
    if mode == "implicit":
        return kind.greeted(port, context, FRONT_NAME)
    talk = kind.greeted(port)
    assert re.search(kind.ok, talk.ask(starttls))
    return talk.seal(context, FRONT_NAME)


@pytest.mark.parametrize("mode", ["starttls", "implicit"])
def test_news_come_while_a_client_idles(house: House, servers: Servers, mode: str) -> None:
    house.lead_to(servers.port("imap", mode), mode)
    with _called(house, Imap, "imap", mode, "a STARTTLS") as talk:
        talk.send(_login("bob"), "b SELECT INBOX")
        _until(talk, "b OK")
        assert talk.ask("c IDLE").startswith("+ ")
        servers.dovecot.deliver("bob", b"Subject: news\r\n\r\nNews.\r\n")
        assert re.match(r"\* \d+ EXISTS$", talk.line())
        talk.send("DONE")
        _until(talk, "c OK")


def _assert_sealed(record: dict[str, Any], leg: str, mode: str) -> None:
    assert (record[leg] is None) is (mode == "plain"), record


def _said(done: Done) -> str:
    return (done.stdout + done.stderr).decode("utf-8", "replace")
