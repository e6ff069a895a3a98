"""Debian's nginx asks our auth service, by every mechanism it knows, and understands the answers.

Both ways in are asked: the service's own process, and the web server.
"""

import base64
import imaplib
import json
import poplib
import smtplib
import ssl
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support import cast, clients
from tests.support.appliance import Appliance
from tests.support.nginx import Nginx
from tests.support.pki import Authority
from tests.support.ports import free_port
from tests.support.postfix import Postfix

_HEADER, _SECRET = "X-Auth-Key", "canary-7f3a9c-nginx-secret"
REFUSED = "Invalid login or password"
AWAY = "away"
"""An account whose password only a service knows that does not answer."""


@dataclass(frozen=True, slots=True)
class Front:
    """Ports of one nginx."""

    imap: int
    pop3: int
    smtp: int
    open_smtp: int
    """Without authentication, asking for each recipient."""
    imaps: int
    """With client certificates."""
    stranger: int
    """IMAP whose nginx does not know the secret."""

    @property
    def ports(self) -> list[int]:
        """All of them."""
        return [getattr(self, name) for name in self.__slots__]


@pytest.fixture(scope="module")
def prepared(appliance: Appliance) -> Appliance:
    """Bob's password is readable, bigmail's is known by his mail server, nobody's by nobody."""
    appliance.allow_auth_callers(_HEADER, _SECRET)
    appliance.python(
        "import json, os\n"
        "from appliance.credentials import services\n"
        "from appliance.routing import services as routing\n"
        "from appliance.routing.choices import MatchKind, VerifierKind\n"
        "from appliance.routing.models import Account, MailHost, Route, Verifier\n"
        "from proxycore.contract.secret import Secret\n"
        "passwords = json.loads(os.environ['TEST_PASSWORDS'])\n"
        f"bob = Account.objects.get(login={cast.BOB!r})\n"
        f"services.save_account(bob, password=Secret(passwords[{cast.BOB!r}]), recoverable=True)\n"
        "there = routing.save_verifier(Verifier(name='there'))\n"
        "big = Account.objects.get(login='bigmail')\n"
        "big.verifier = there\n"
        "services.save_account(big)\n"
        "gone = routing.save_verifier(Verifier(name='gone', kind=VerifierKind.AUTH_HTTP,"
        " url='127.0.0.1:1/auth'))\n"
        f"services.save_account(Account(login={AWAY!r}, verifier=gone))\n"
        "routing.save_route(Route(match=MatchKind.DOMAIN, value='postroad.test', position=1,"
        " mail_host=MailHost.objects.get(name='mailhost02')))",
        TEST_PASSWORDS=json.dumps(cast.PASSWORDS),
    )
    return appliance


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with certificates of the server, of Bob and of somebody else, and their CA."""
    directory = tmp_path_factory.mktemp("pki")
    authority = Authority()
    directory.chmod(0o755)
    (directory / "ca.crt").write_text(authority.pem)
    authority.issue("127.0.0.1").write(directory, "server")
    for name in (cast.BOB, "stranger"):
        authority.issue(name, client=True).write(directory, name)
    return directory


@pytest.fixture(scope="module", params=["listener", "web"])
def front(
    request: pytest.FixtureRequest, prepared: Appliance, certificates: Path
) -> Generator[Front, None, None]:
    port = prepared.auth_port if request.param == "listener" else prepared.http_port
    front = Front(*(free_port() for _ in range(6)))
    mail = f"""
        server_name postroad.test;
        auth_http 127.0.0.1:{port}/auth_http;
        auth_http_header {_HEADER} "{_SECRET}";
        imap_auth plain login cram-md5 external;
        pop3_auth plain apop cram-md5 external;
        smtp_auth plain login cram-md5 external;
        ssl_certificate {certificates}/server.crt;
        ssl_certificate_key {certificates}/server.key;
        server {{ listen 127.0.0.1:{front.imap}; protocol imap; }}
        server {{ listen 127.0.0.1:{front.pop3}; protocol pop3; }}
        server {{ listen 127.0.0.1:{front.smtp}; protocol smtp; }}
        server {{ listen 127.0.0.1:{front.open_smtp}; protocol smtp; smtp_auth none; }}
        server {{
            listen 127.0.0.1:{front.imaps} ssl;
            protocol imap;
            ssl_verify_client optional;
            ssl_client_certificate {certificates}/ca.crt;
        }}
        server {{
            listen 127.0.0.1:{front.stranger};
            protocol imap;
            auth_http_header {_HEADER} "something else";
        }}
    """
    with Nginx(mail, front.ports):
        yield front


def _password(login: str) -> str:
    return cast.PASSWORDS[login]


@pytest.fixture
def imap(front: Front) -> Generator[clients.Line, None, None]:
    """A raw IMAP connection, greeting read."""
    with clients.Line(front.imap) as line:
        line.line()
        yield line


# --- plain ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("login", [cast.ALICE, cast.ZOE, "bigmail"])
def test_a_password_lets_in_whoever_knows_it(front: Front, login: str) -> None:
    """Alice's and Zoe's are stored here; bigmail's is tried at the mail server."""
    with clients.imap(front.imap, login, _password(login)) as imap:
        assert clients.imap_host(imap) == cast.HOST_OF[login]
    with clients.pop3(front.pop3, login, _password(login)) as pop3:
        assert clients.pop3_host(pop3) == cast.HOST_OF[login]
    for wrong in (_password(login) + "x", "x"):
        with clients.imap(front.imap) as imap, pytest.raises(imaplib.IMAP4.error, match=REFUSED):
            imap.login(login, wrong)


def test_smtp_by_password(front: Front, mta: Postfix) -> None:
    with clients.smtp(front.smtp, cast.ZOE, _password(cast.ZOE)) as smtp:
        smtp.send_message(clients.letter("by password"))
    assert mta.wait_for_message(b"by password")


# --- challenges -----------------------------------------------------------------------------------


def test_apop(front: Front) -> None:
    with clients.pop3(front.pop3) as pop3:
        pop3.apop(cast.BOB, _password(cast.BOB))
        assert clients.pop3_host(pop3) == cast.HOST_OF[cast.BOB]


@pytest.mark.parametrize(
    ("login", "password"),
    [(cast.BOB, "wrong"), (cast.ALICE, _password(cast.ALICE)), ("nobody", ""), ("nobody", "x")],
    ids=["wrong password", "not readable", "unknown, empty", "unknown"],
)
def test_apop_refused(front: Front, login: str, password: str) -> None:
    with clients.pop3(front.pop3) as pop3:
        with pytest.raises(poplib.error_proto, match=REFUSED):
            pop3.apop(login, password)
        pop3.apop(cast.BOB, _password(cast.BOB))


def test_cram_md5_over_imap(front: Front) -> None:
    with clients.imap(front.imap) as imap:
        with pytest.raises(imaplib.IMAP4.error, match=REFUSED):
            imap.login_cram_md5(cast.BOB, "wrong")
        imap.login_cram_md5(cast.BOB, _password(cast.BOB))
        assert clients.imap_host(imap) == cast.HOST_OF[cast.BOB]


def test_cram_md5_over_smtp(front: Front, mta: Postfix) -> None:
    with clients.smtp(front.smtp) as smtp:
        smtp.ehlo()
        smtp.user, smtp.password = cast.BOB, _password(cast.BOB)
        assert smtp.auth("CRAM-MD5", smtp.auth_cram_md5)[0] == 235
        smtp.send_message(clients.letter("by challenge"))
    assert mta.wait_for_message(b"by challenge")


# --- certificates ---------------------------------------------------------------------------------


def _external(line: clients.Line, login: str) -> str:
    assert line.ask("a AUTHENTICATE EXTERNAL").startswith("+")
    return line.ask(base64.b64encode(login.encode()).decode())


def test_external_without_tls_is_refused(imap: clients.Line) -> None:
    assert _external(imap, cast.BOB) == f"a NO {REFUSED}"


@pytest.mark.parametrize(
    ("certificate", "login", "is_let_in"),
    [
        (cast.BOB, cast.BOB, True),
        ("stranger", cast.BOB, False),
        (cast.BOB, cast.ALICE, False),
        ("", cast.BOB, False),
    ],
)
def test_external_by_certificate(
    front: Front, certificates: Path, certificate: str, login: str, is_let_in: bool
) -> None:
    context = ssl.create_default_context(cafile=str(certificates / "ca.crt"))
    if certificate:
        context.load_cert_chain(
            certificates / f"{certificate}.crt", certificates / f"{certificate}.key"
        )
    client = imaplib.IMAP4_SSL("127.0.0.1", front.imaps, ssl_context=context, timeout=10)
    try:
        if is_let_in:
            client.authenticate("EXTERNAL", lambda _: login.encode())
            assert clients.imap_host(client) == cast.HOST_OF[cast.BOB]
        else:
            with pytest.raises(imaplib.IMAP4.error, match=REFUSED):
                client.authenticate("EXTERNAL", lambda _: login.encode())
    finally:
        client.shutdown()


# --- recipients -----------------------------------------------------------------------------------


def test_recipients_we_know_are_taken_and_others_are_not(front: Front, mta: Postfix) -> None:
    with clients.smtp(front.open_smtp) as smtp:
        smtp.ehlo()
        assert smtp.mail("sender@example.net")[0] == 250
        assert smtp.rcpt("someone@example.net") == (550, b"5.7.1 Recipient is not served here")
        assert smtp.rcpt("someone@postroad.test")[0] == 250
        message = clients.letter("without a password").as_string()
        assert smtp.data(message)[0] == 250
    assert mta.wait_for_message(b"without a password")


# --- pauses and codes -----------------------------------------------------------------------------


def test_auth_wait_delays_the_refusal_and_keeps_the_session(imap: clients.Line) -> None:
    begun = time.monotonic()
    assert imap.ask("a LOGIN zoe wrong") == f"a NO {REFUSED}"
    assert time.monotonic() - begun >= 1
    assert imap.ask(f'b LOGIN zoe "{_password(cast.ZOE)}"').startswith("b OK")


def test_a_refusal_has_smtp_s_own_code(front: Front) -> None:
    with clients.smtp(front.smtp) as smtp:
        smtp.ehlo()
        with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
            smtp.login(cast.ZOE, "wrong")
        assert (refused.value.smtp_code, refused.value.smtp_error) == (
            535,
            b"5.7.0 Invalid login or password",
        )


def test_what_cannot_be_verified_now_is_no_wrong_password(front: Front, imap: clients.Line) -> None:
    assert imap.ask(f"a LOGIN {AWAY} x") == "a NO [UNAVAILABLE] Try again later"
    with clients.Line(front.pop3) as pop3:
        pop3.line()
        assert pop3.ask(f"USER {AWAY}").startswith("+OK")
        assert pop3.ask("PASS x") == "-ERR [SYS/TEMP] Try again later"
    with clients.Line(front.smtp) as smtp:
        smtp.line()
        smtp.ask("HELO client.test")
        plain = base64.b64encode(f"\0{AWAY}\0x".encode()).decode()
        assert smtp.ask(f"AUTH PLAIN {plain}") == "454 4.7.0 Temporary authentication failure"


def test_a_proxy_we_do_not_know_gets_no_verdict(front: Front) -> None:
    with clients.Line(front.stranger) as line:
        line.line()
        answer = line.ask(f'a LOGIN zoe "{_password(cast.ZOE)}"')
        assert answer == "* BAD internal server error"
