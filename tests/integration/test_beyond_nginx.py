"""What nginx's mail module cannot, between the real daemon and real mail servers."""

import http.server
import json
import os
import threading
from base64 import b64decode, b64encode
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support import cast, clients, mail_programs
from tests.support.authserver import REFUSED, Asked, AuthServer
from tests.support.dovecot import Dovecot
from tests.support.ports import free_port
from tests.support.postfix import Postfix
from tests.support.proxycore import Proxycore
from tests.support.wait import eventually

ALICE = cast.ALICE
PASSWORD = cast.PASSWORDS[ALICE]
BOSS = "boss"
BOSS_PASSWORD = f"{cast.CANARY}-boss"
TOKEN = f"{cast.CANARY}.token"
EXPLANATION = {"status": "invalid_token"}

_DOVECOT = """\
auth_mechanisms = plain login xoauth2 oauthbearer
imap_id_log = *
login_log_format_elements = user=<%u> method=%m asked-by=<%{auth_user}>
passdb {
  driver = passwd-file
  master = yes
  result_success = continue
  args = scheme=PLAIN username_format=%u @DIR@/masters
}
passdb {
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = @DIR@/oauth2.conf.ext
}
"""

_OAUTH2 = """\
introspection_mode = get
introspection_url = http://127.0.0.1:{port}/introspect?token=
username_attribute = username
active_attribute = active
active_value = true
"""

_CONFIG = """\
worker_processes 1;
error_log @DIR@/logs/error.log info;
events {{
}}
mail {{
    server_name postroad.test;
    auth_http 127.0.0.1:{auth}/auth;
    server {{
        listen 127.0.0.1:{imap};
        protocol imap;
        imap_auth plain xoauth2 oauthbearer;
        proxy_issue_imap_id on;
    }}
    server {{
        listen 127.0.0.1:{pop3};
        protocol pop3;
        pop3_auth plain xoauth2 oauthbearer;
    }}
    server {{ listen 127.0.0.1:{smtp}; protocol smtp; smtp_auth plain; xclient on; }}
    server {{ listen 127.0.0.1:{legacy}; protocol smtp; smtp_auth plain; xclient legacy; }}
    server {{
        listen 127.0.0.1:{auth_on};
        protocol smtp;
        smtp_auth plain xoauth2 oauthbearer;
        proxy_smtp_auth on;
    }}
}}
"""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the daemon listens."""

    imap: int
    pop3: int
    smtp: int
    legacy: int
    auth_on: int
    """SMTP with ``proxy_smtp_auth on``."""


class _Introspection(http.server.BaseHTTPRequestHandler):
    """Knows one token (RFC 7662)."""

    def do_GET(self) -> None:
        """Say whose it is."""
        asked = parse_qs(urlsplit(self.path).query).get("token", [""])[0]
        found = {"active": asked == TOKEN, "username": ALICE}
        body = json.dumps(found).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (its name)
        """Stay silent."""


@pytest.fixture(scope="module")
def introspection() -> Iterator[int]:
    """Where tokens are looked at."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Introspection) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield int(server.server_address[1])
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def dovecot(introspection: int) -> Generator[Dovecot, None, None]:
    """Knows a master user, one token and what ID is."""
    server = Dovecot("beyond", {ALICE: PASSWORD, BOSS: BOSS_PASSWORD}, more=_DOVECOT)
    for name, text in {
        "masters": f"{BOSS}:{{PLAIN}}{BOSS_PASSWORD}::::::\n",
        "oauth2.conf.ext": _OAUTH2.format(port=introspection),
    }.items():
        path = server.directory / name
        path.write_text(text, encoding="ascii")
        path.chmod(0o644)
    with server:
        yield server


@pytest.fixture(scope="module")
def postfix(dovecot: Dovecot) -> Generator[Postfix, None, None]:
    """Believes XCLIENT, and asks Dovecot about AUTH."""
    if os.getuid() != 0:
        pytest.skip("starting a Postfix takes root")
    with Postfix("beyond", sasl=dovecot) as server:
        yield server


@pytest.fixture(scope="module")
def service() -> Generator[AuthServer, None, None]:
    """Each test says what it answers."""
    with AuthServer(lambda _: REFUSED) as server:
        yield server


@pytest.fixture(scope="module")
def daemon(service: AuthServer) -> Generator[tuple[Ports, Proxycore], None, None]:
    """The daemon alone."""
    ports = Ports(*(free_port() for _ in range(5)))
    numbers = {name: getattr(ports, name) for name in ports.__slots__}
    config = _CONFIG.format(auth=service.port, **numbers)
    with Proxycore.standalone(config, list(numbers.values())) as running:
        yield ports, running


@pytest.fixture
def ports(daemon: tuple[Ports, Proxycore]) -> Ports:
    """Where it listens."""
    return daemon[0]


def _answer(service: AuthServer, port: int, **more: str) -> None:
    """Let everybody in at this port."""
    headers = {name.replace("_", "-"): value for name, value in more.items()}
    verdict = {"Auth-Status": "OK", "Auth-Server": "127.0.0.1", "Auth-Port": str(port), **headers}

    def decide(_: Asked) -> Mapping[str, str]:
        return verdict

    service.decide = decide
    service.asked.clear()


# --- master user ----------------------------------------------------------------------------------


def test_a_master_user_logs_in_for_somebody_by_imap(
    ports: Ports, service: AuthServer, dovecot: Dovecot
) -> None:
    _answer(service, dovecot.imap_port, Auth_Proxy_Master=BOSS, Auth_Pass=BOSS_PASSWORD)
    with clients.imap(ports.imap, ALICE, "known to the auth service only") as client:
        assert clients.fetch(client, *_first(client)).startswith(f"To: {ALICE}".encode())
    assert dovecot.log_contains(f"Login: user=<{ALICE}>, method=PLAIN, asked-by=<{BOSS}>")


def _first(client: object) -> tuple[str, str]:
    client.select("INBOX", readonly=True)  # type: ignore[attr-defined]
    return "1", "(BODY.PEEK[HEADER.FIELDS (TO)])"


def test_a_master_user_logs_in_for_somebody_by_pop3(
    ports: Ports, service: AuthServer, dovecot: Dovecot
) -> None:
    _answer(service, dovecot.pop3_port, Auth_Proxy_Master=BOSS, Auth_Pass=BOSS_PASSWORD)
    with clients.pop3(ports.pop3, ALICE, "known to the auth service only") as client:
        assert f"To: {ALICE}".encode() in client.top(1, 0)[1]
    assert dovecot.log_contains(f"pop3-login: Info: Login: user=<{ALICE}>, method=PLAIN, asked-by")


def test_a_master_user_s_wrong_password_lets_nobody_in(
    ports: Ports, service: AuthServer, dovecot: Dovecot
) -> None:
    _answer(service, dovecot.imap_port, Auth_Proxy_Master=BOSS, Auth_Pass="wrong")
    with clients.Line(ports.imap) as line:
        line.line()
        assert line.ask(f"a LOGIN {ALICE} x") == "* BAD internal server error"


# --- ID -------------------------------------------------------------------------------------------


def test_a_client_s_id_reaches_the_mail_server(
    ports: Ports, service: AuthServer, dovecot: Dovecot
) -> None:
    _answer(service, dovecot.imap_port)
    with clients.imap(ports.imap) as client:
        client.xatom("ID", '("name" "pigeon" "version" "7")')
        client.login(ALICE, PASSWORD)
        assert clients.imap_host(client) == "beyond"
    assert dovecot.log_contains("name=pigeon, version=7")


# --- tokens ---------------------------------------------------------------------------------------


def _sasl(mechanism: str, login: str, token: str) -> str:
    text = f"n,a={login},\x01auth=Bearer {token}\x01\x01"
    if mechanism == "XOAUTH2":
        text = f"user={login}\x01auth=Bearer {token}\x01\x01"
    return b64encode(text.encode()).decode()


@pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])
def test_a_token_logs_in_by_its_own_mechanism(
    ports: Ports, service: AuthServer, dovecot: Dovecot, mechanism: str
) -> None:
    _answer(service, dovecot.imap_port)
    with clients.imap(ports.imap) as client:
        client.authenticate(mechanism, lambda _: b64decode(_sasl(mechanism, ALICE, TOKEN)))
        assert clients.imap_host(client) == "beyond"
    _answer(service, dovecot.pop3_port)
    with clients.Line(ports.pop3) as line:
        line.line()
        assert line.ask(f"AUTH {mechanism} {_sasl(mechanism, ALICE, TOKEN)}").startswith("+OK")
        assert line.ask("STAT").startswith("+OK 1 ")
    for protocol in ("imap", "pop3"):
        assert dovecot.log_contains(
            f"{protocol}-login: Info: Login: user=<{ALICE}>, method={mechanism}"
        )


def test_a_token_that_the_mail_server_does_not_take_lets_nobody_in(
    ports: Ports, service: AuthServer, dovecot: Dovecot
) -> None:
    _answer(service, dovecot.imap_port)
    with clients.Line(ports.imap) as line:
        line.line()
        answer = line.ask(f"a AUTHENTICATE XOAUTH2 {_sasl('XOAUTH2', ALICE, 'another')}")
        assert answer == "* BAD internal server error"


@pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])
def test_a_refused_token_is_explained_before_it_is_refused(
    ports: Ports, service: AuthServer, dovecot: Dovecot, mechanism: str
) -> None:
    told = b64encode(json.dumps(EXPLANATION).encode()).decode()
    service.decide = lambda _: {"Auth-Status": "Token expired", "Auth-Error-SASL": told}
    with clients.Line(ports.imap) as line:
        line.line()
        asked = line.ask(f"a AUTHENTICATE {mechanism} {_sasl(mechanism, ALICE, 'old')}")
        assert json.loads(b64decode(asked.removeprefix("+ "))) == EXPLANATION
        assert line.ask("AQ==" if mechanism == "OAUTHBEARER" else "") == "a NO Token expired"
    with clients.Line(ports.pop3) as line:
        line.line()
        asked = line.ask(f"AUTH {mechanism} {_sasl(mechanism, ALICE, 'old')}")
        assert json.loads(b64decode(asked.removeprefix("+ "))) == EXPLANATION
        assert line.ask("AQ==" if mechanism == "OAUTHBEARER" else "") == "-ERR Token expired"


# --- SMTP -----------------------------------------------------------------------------------------


def _sent(postfix: Postfix, port: int, subject: str, directory: Path) -> tuple[bytes, str]:
    """Send by swaks from 127.0.0.2; give the message and Postfix's word on its client."""
    done = mail_programs.swaks(
        *(directory, port, ALICE, PASSWORD, subject), *("--local-interface", "127.0.0.2")
    )
    assert done.returncode == 0, (done.stdout + done.stderr).decode("utf-8", "replace")
    message = postfix.wait_for_message(subject.encode())
    queue_id = message.partition(b" id ")[2].split()[0].rstrip(b";").decode()

    def line() -> str:
        lines = postfix.log().splitlines()
        return next((one for one in lines if f"{queue_id}: client=" in one), "")

    return message, eventually(line, "the client in Postfix's log")


def test_postfix_understands_the_old_form_of_xclient(
    ports: Ports, service: AuthServer, postfix: Postfix, tmp_path: Path
) -> None:
    _answer(service, postfix.port)
    message, line = _sent(postfix, ports.legacy, "by the old form of XCLIENT", tmp_path)
    assert b"from laptop.example (unknown [127.0.0.2])" in message
    assert b"with ESMTP" in message
    assert f"client=unknown[127.0.0.2], sasl_method=XCLIENT, sasl_username={ALICE}" in line


@pytest.mark.parametrize(
    ("front", "says", "method"),
    [
        ("smtp", "", "XCLIENT"),
        ("smtp", "on", "PLAIN"),
        ("auth_on", "", "PLAIN"),
        ("auth_on", "off", "XCLIENT"),
    ],
)
def test_an_answer_says_whether_to_log_in_at_the_smtp_server(
    *, ports: Ports, service: AuthServer, postfix: Postfix, tmp_path: Path,
    front: str, says: str, method: str,
) -> None:  # fmt: skip
    _answer(service, postfix.port, **({"Auth_Proxy_Auth": says} if says else {}))
    _, line = _sent(postfix, getattr(ports, front), f"authenticated {front} {says}", tmp_path)
    assert f"sasl_method={method}, sasl_username={ALICE}" in line


@pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])
def test_a_token_reaches_the_smtp_server(
    ports: Ports, service: AuthServer, postfix: Postfix, mechanism: str
) -> None:
    _answer(service, postfix.port)
    subject = f"sent with a token by {mechanism}"
    with clients.smtp(ports.auth_on) as client:
        client.ehlo()
        response = _sasl(mechanism, ALICE, TOKEN)
        assert client.docmd("AUTH", f"{mechanism} {response}") == (235, b"2.0.0 OK")
        client.send_message(clients.letter(subject))
    assert postfix.wait_for_message(subject.encode())
    assert postfix.log_contains(f"sasl_method={mechanism}, sasl_username={ALICE}")
    with clients.smtp(ports.auth_on) as client:
        client.ehlo()
        assert client.docmd("AUTH", f"{mechanism} {_sasl(mechanism, ALICE, 'another')}")[0] == 451


# --- the cache ------------------------------------------------------------------------------------


def test_an_answer_with_a_time_is_used_again_and_nobody_is_asked(
    ports: Ports, service: AuthServer, dovecot: Dovecot
) -> None:
    _answer(service, dovecot.imap_port, Auth_Cache_TTL="60")
    for _ in range(3):
        with clients.imap(ports.imap, ALICE, PASSWORD) as client:
            assert clients.imap_host(client) == "beyond"
    assert len(service.asked) == 1
    service.decide = lambda _: REFUSED
    with clients.Line(ports.imap) as line:
        line.line()
        assert line.ask(f"a LOGIN {ALICE} wrong") == "a NO Invalid login or password"
    assert len(service.asked) == 2
