"""The classic nginx.conf of listing 15-1 runs as it stands, with no Django anywhere.

Only what an unprivileged test cannot have was changed: ports, paths, the auth service's address.
"""

import os
import pwd
import subprocess
import sys
from collections.abc import Generator, Mapping
from pathlib import Path

import pytest

from tests.support import cast, clients
from tests.support.authserver import Asked, AuthServer
from tests.support.fronts import Front
from tests.support.process import command_line, descendants_of
from tests.support.proxycore import Proxycore, environment
from tests.support.wait import eventually

_LISTING = """\
user nobody;
worker_processes 1;

error_log @DIR@/logs/error.log info;
pid @DIR@/logs/nginx.pid;

events {{
    worker_connections 1024;
    multi_accept on;
}}

mail {{
    auth_http 127.0.0.1:{auth}/mail/auth.php;
    pop3_capabilities "TOP" "USER";
    imap_capabilities "IMAP4rev1" "UIDPLUS";

    server {{
        listen {pop3};
        protocol pop3;
        proxy on;
    }}

    server {{
        listen {imap};
        protocol imap;
        proxy on;
    }}
}}
"""


@pytest.fixture(scope="module")
def front() -> Front:
    return Front.on_free_ports()


@pytest.fixture(scope="module")
def daemon(front: Front, auth_service: AuthServer) -> Generator[Proxycore, None, None]:
    config = _LISTING.format(auth=auth_service.port, pop3=front.pop3, imap=front.imap)
    with Proxycore.standalone(config, [front.pop3, front.imap]) as running:
        yield running


@pytest.fixture
def own_answer(auth_service: AuthServer) -> Generator[AuthServer, None, None]:
    """The auth service, its policy free to be replaced for one test."""
    decide = auth_service.decide
    yield auth_service
    auth_service.decide = decide


def test_the_file_passes_the_check(daemon: Proxycore) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "proxycore", "check", str(daemon.config_file)],
        env=environment(),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()


def test_pop3_greets_and_lists_the_configured_capabilities(daemon: Proxycore, front: Front) -> None:
    with clients.Line(front.pop3) as line:
        assert line.line() == "+OK POP3 ready"
        answer = [line.ask("CAPA"), *(line.line() for _ in range(4))]
    expected = ["+OK Capability list follows", "TOP", "USER", "SASL PLAIN LOGIN", "."]
    assert answer == expected


def test_imap_greets_and_lists_the_configured_capabilities(daemon: Proxycore, front: Front) -> None:
    with clients.Line(front.imap) as line:
        assert line.line() == "* OK IMAP4 ready"
        assert line.ask("a CAPABILITY") == "* CAPABILITY IMAP4rev1 UIDPLUS AUTH=PLAIN"
        assert line.line() == "a OK completed"


def test_the_auth_script_is_asked_as_nginx_asks(
    daemon: Proxycore, front: Front, own_answer: AuthServer
) -> None:
    asked: list[Asked] = []

    def remember(question: Asked) -> Mapping[str, str]:
        asked.append(question)
        return {"Auth-Status": "Not today"}

    own_answer.decide = remember
    with clients.Line(front.imap) as line:
        line.line()
        assert line.ask("a LOGIN alice secret") == "a NO Not today"
    assert asked[0].path == "/mail/auth.php"
    headers = dict(asked[0].headers)
    # ours, behind nginx's own
    assert headers.pop("Auth-Port") == str(front.imap)
    assert headers.pop("Client-Port").isdigit()
    assert headers == {
        "Host": "127.0.0.1",
        "Auth-Method": "plain",
        "Auth-User": "alice",
        "Auth-Pass": "secret",
        "Auth-Protocol": "imap",
        "Auth-Login-Attempt": "1",
        "Client-IP": "127.0.0.1",
    }


@pytest.mark.parametrize("login", [cast.ALICE, cast.ZOE])
def test_imap_users_land_on_the_mail_server_of_their_first_letter(
    daemon: Proxycore, front: Front, login: str
) -> None:
    with clients.imap(front.imap, login, cast.PASSWORDS[login]) as client:
        assert clients.imap_host(client) == cast.HOST_OF[login]


@pytest.mark.parametrize("login", [cast.ALICE, cast.ZOE])
def test_pop3_users_land_on_the_mail_server_of_their_first_letter(
    daemon: Proxycore, front: Front, login: str
) -> None:
    with clients.pop3(front.pop3, login, cast.PASSWORDS[login]) as client:
        assert clients.pop3_host(client) == cast.HOST_OF[login]


def test_a_refusal_without_auth_wait_ends_the_session(daemon: Proxycore, front: Front) -> None:
    with clients.Line(front.pop3) as line:
        line.line()
        line.ask("USER alice")
        assert line.ask("PASS wrong") == "-ERR Invalid login or password"
        assert line.is_ended()


def test_a_refusal_with_auth_wait_leaves_the_session_usable(
    daemon: Proxycore, front: Front, own_answer: AuthServer
) -> None:
    decide = own_answer.decide

    def refuse_first(question: Asked) -> Mapping[str, str]:
        if question.attempt == 1:
            return {"Auth-Status": "Invalid login or password.", "Auth-Wait": "1"}
        return decide(question)

    own_answer.decide = refuse_first
    with clients.Line(front.pop3) as line:
        line.line()
        line.ask("USER alice")
        assert line.ask("PASS wrong") == "-ERR Invalid login or password."
        line.ask("USER alice")
        assert line.ask(f"PASS {cast.PASSWORDS[cast.ALICE]}").startswith("+OK")


def test_the_pid_file_names_the_supervisor(daemon: Proxycore) -> None:
    path = daemon.directory / "logs" / "nginx.pid"
    pid = eventually(lambda: path.read_text(encoding="ascii"), "the pid file is written")
    assert int(pid) == daemon.pid


def test_logins_are_logged_at_info_without_passwords(daemon: Proxycore, front: Front) -> None:
    with clients.imap(front.imap, cast.ZOE, cast.PASSWORDS[cast.ZOE]):
        pass
    assert daemon.log_contains('login: "zoe"')
    assert cast.CANARY not in daemon.log()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can change the user")
def test_workers_run_as_the_configured_user_and_the_group_is_warned_about(
    daemon: Proxycore,
) -> None:
    nobody = pwd.getpwnam("nobody").pw_uid
    assert [Path(f"/proc/{pid}").stat().st_uid for pid in daemon.workers()] == [nobody]
    assert daemon.log_contains("warn")


def test_no_django_process_is_involved(daemon: Proxycore) -> None:
    words = [command_line(pid) for pid in (daemon.pid, *descendants_of(daemon.pid))]
    assert not [line for line in words if "manage.py" in line or "daphne" in line]
