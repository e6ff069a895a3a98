"""``mail_login_*``: too many logins are put off, for all workers together and nobody else."""

import contextlib
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.ports import free_port, release
from tests.support.proxycore import Proxycore
from tests.support.stub_auth import Request, StubAuth
from tests.support.talk import Imap, Pop3, Smtp, plain
from tests.support.wait import eventually

_CONFIG = """\
worker_processes {workers};
error_log @DIR@/logs/error.log info;
events {{
}}
mail {{
    auth_http 127.0.0.1:{auth}/auth;
    {limits}
    server {{ listen 127.0.0.1:{imap}; protocol imap; }}
    server {{ listen 127.0.0.1:{pop3}; protocol pop3; }}
    server {{ listen 127.0.0.1:{smtp}; protocol smtp; smtp_auth plain login; }}
}}
"""
_WRONG = {"Auth-Status": "Invalid login or password"}
_PUT_OFF = "Too many logins, try again later"


@dataclass
class House:
    """A daemon with limits, and who it asks."""

    daemon: Proxycore
    auth: StubAuth
    imap: int
    pop3: int
    smtp: int

    def log_in(self, password: str = "wrong", *, login: str = "joe", source: str = "") -> str:
        """Try by IMAP on a connection of its own; give the reply."""
        with Imap(self.imap, source=source) as talk:
            talk.line()
            talk.send(f"a1 LOGIN {login} {password}")
            return str(talk.line())

    @property
    def asked(self) -> int:
        """How many logins the auth service was asked about."""
        return len(self.auth.requests)


@contextlib.contextmanager
def house(
    limits: str, *, workers: int = 2, decide: Callable[[Request], Any] = lambda _: _WRONG
) -> Generator[House, None, None]:
    ports = {name: free_port() for name in ("imap", "pop3", "smtp")}
    with StubAuth(decide) as auth:
        config = _CONFIG.format(workers=workers, limits=limits, auth=auth.port, **ports)
        with Proxycore.standalone(config, list(ports.values()), workers=workers) as daemon:
            yield House(daemon, auth, **ports)
    for port in ports.values():
        release(port)


def test_an_address_is_put_off_whichever_worker_and_protocol_it_comes_to() -> None:
    with house("mail_login_ip_max 3;") as there:
        for number in range(3):
            assert "Invalid login" in there.log_in(f"wrong-{number}", login=f"user{number}")
        for _ in range(4):
            assert there.log_in() == f"a1 NO [UNAVAILABLE] {_PUT_OFF}"
        with Pop3(there.pop3) as pop3:
            pop3.line()
            pop3.ask("USER joe")
            assert pop3.ask("PASS wrong") == f"-ERR [SYS/TEMP] {_PUT_OFF}"
        with Smtp(there.smtp) as smtp:
            smtp.line()
            assert smtp.ask(f"AUTH PLAIN {plain('joe', 'wrong')}") == f"454 4.7.0 {_PUT_OFF}"
        assert there.asked == 3
        log = there.daemon.log_files()[-1]
        written = "login put off, mail_login_ip_max 3 is reached"
        eventually(lambda: written in log.read_text(), "the log says so")
        assert "Invalid login" in there.log_in(source="127.0.0.2")


def test_a_user_is_put_off_from_everywhere_in_any_spelling() -> None:
    with house("mail_login_user_max 2;") as there:
        for source in ("127.0.0.1", "127.0.0.2"):
            assert "Invalid login" in there.log_in(source=source)
        for login in ("joe", "JOE"):
            assert _PUT_OFF in there.log_in(login=login, source="127.0.0.3")
        assert "Invalid login" in there.log_in(login="ann", source="127.0.0.3")


def test_who_is_exempt_is_not_counted() -> None:
    limits = "mail_login_ip_max 1; mail_login_user_max 1; mail_whitelist_ip 127.0.0.2;"
    with house(limits) as there:
        for _ in range(3):
            assert "Invalid login" in there.log_in(source="127.0.0.2")
        assert "Invalid login" in there.log_in()
        assert _PUT_OFF in there.log_in()


def test_a_password_that_is_tried_again_and_again_counts_once_where_refusals_count() -> None:
    with house("mail_login_ip_max 2; mail_login_counts refused;") as there:
        for _ in range(4):
            assert "Invalid login" in there.log_in("old")
        assert "Invalid login" in there.log_in("another")
        assert _PUT_OFF in there.log_in("third")
        assert _PUT_OFF in there.log_in("old")


@pytest.mark.parametrize("counts", ["all", "refused"])
def test_the_time_passes(counts: str) -> None:
    limits = f"mail_login_ip_max 1; mail_login_ip_ttl 1s; mail_login_counts {counts};"
    with house(limits, workers=1) as there:
        assert "Invalid login" in there.log_in("one")
        replies = [there.log_in(f"other-{number}") for number in range(2)]
        while _PUT_OFF in replies[-1]:
            replies.append(there.log_in("other"))
        assert _PUT_OFF in replies[0]
        assert "Invalid login" in replies[-1]


def test_counts_outlive_a_reload() -> None:
    with house("mail_login_user_max 1;") as there:
        assert "Invalid login" in there.log_in()
        there.daemon.reload()
        assert _PUT_OFF in there.log_in()
