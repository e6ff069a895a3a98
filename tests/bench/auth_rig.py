"""An auth service with very many accounts, on SQLite or PostgreSQL, and somebody who asks it.

The asking side is a loop over kept-alive connections on the CPU the service does not have. Only
the service's CPU time is counted, so that the loop is in Python does not matter.
"""

import contextlib
import os
import pwd
import select
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.bench.machine import REPOSITORY, find_program
from tests.support.ports import free_port
from tests.support.process import Program
from tests.support.proxycore import environment

SQLITE: Final = "sqlite"
POSTGRESQL: Final = "postgresql"

PASSWORD: Final = "secret"
"""Of every account; what the load generator says."""

CALLER_SECRET: Final = "bench-caller-secret-0123456789"
"""By which nginx proves that it may ask."""

DOMAIN: Final = "@example.com"
"""Behind ``user`` and a number."""
ACCOUNTS_VARIABLE: Final = "BENCH_AUTH_ACCOUNTS"
DEFAULT_ACCOUNTS: Final = 100_000

_PREPARE: Final = """
import os, django
django.setup()
from django.core.management import call_command
call_command('migrate', verbosity=0)
from django.db import connection
from appliance.fleet.services import nodes
from appliance.authhttp.models import CallerSecret
from appliance.routing import services
from appliance.routing.models import Account, MailHost, Route
from proxycore.contract.secret import Secret
host = services.save_mail_host(MailHost(
    name='mail', address='127.0.0.1', imap_port=int(os.environ['BENCH_IMAP_PORT']),
    imap_tls='block', pop3_tls='block', smtp_tls='block'
))
CallerSecret.objects.create(name='nginx', secret=os.environ['BENCH_CALLER_SECRET'])
services.save_route(Route(match='default', mail_host=host))
numbers = (
    'generate_series(1, %s) AS n(i)' if connection.vendor == 'postgresql' else
    '(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %s) SELECT i FROM n)'
)
services.save_account(
    Account(login='user0'), password=Secret(os.environ['BENCH_PASSWORD'])
)
kept = [field.column for field in Account._meta.concrete_fields if not field.primary_key]
kept.remove('login')
with connection.cursor() as cursor:
    cursor.execute(
        f"INSERT INTO routing_account (login, {', '.join(kept)}) SELECT 'user' || i || %s,"
        f" {', '.join(kept)} FROM {numbers}, routing_account WHERE login = 'user0'",
        [os.environ['BENCH_DOMAIN'], int(os.environ['BENCH_ACCOUNTS'])],
    )
print(nodes.enrol('bench')[1].reveal())
"""


def account_count() -> int:
    """Give how many accounts there are to be."""
    return int(os.environ.get(ACCOUNTS_VARIABLE, DEFAULT_ACCOUNTS))


class AuthService(Program):
    """The auth service by itself (``listener``) or the web server's view (``daphne``)."""

    def __init__(self, name: str, state: Path, database_url: str, token: str) -> None:
        self.name = name
        super().__init__()
        self.port = free_port()
        self.token = token
        self._variables = variables(state, database_url, self.port)

    def start(self) -> None:
        """Start and wait until it answers."""
        argv = [sys.executable, "-m", "appliance.auth_service"]
        if self.name == "daphne":
            place = ("-b", "127.0.0.1", "-p", str(self.port))
            argv = [sys.executable, "-m", "daphne", "-v", "0", *place, "appliance.asgi:application"]
        self.launch(argv, env=self._variables, cwd=REPOSITORY)
        self.wait_for_port(self.port, within_s=60)


def variables(state: Path, database_url: str, port: int) -> Mapping[str, str]:
    """Give the environment of an auth service, and of whoever fills its database."""
    return environment(
        PYTHONPATH=str(REPOSITORY),
        DJANGO_SETTINGS_MODULE="appliance.settings",
        POSTROAD_STATE_DIR=str(state),
        POSTROAD_DATABASE_URL=database_url,
        POSTROAD_AUTH_LISTEN_PORT=str(port),
        POSTROAD_AUTH_VERIFIED_TTL_S="3600",
        POSTROAD_AUTH_HASH_QUEUE="1000",
        BENCH_PASSWORD=PASSWORD,
        BENCH_DOMAIN=DOMAIN,
        BENCH_CALLER_SECRET=CALLER_SECRET,
        BENCH_ACCOUNTS=str(account_count()),
    )


@contextlib.contextmanager
def prepared(kind: str, imap_port: int) -> Iterator[tuple[Path, str, str]]:
    """Fill a database of a kind; give state directory, its URL and a node's token.

    imap_port: where everybody's mail server is, on loopback.
    """
    with contextlib.ExitStack() as stack:
        state = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-auth-")))
        url = stack.enter_context(_postgresql()) if kind == POSTGRESQL else ""
        done = subprocess.run(
            [sys.executable, "-c", _PREPARE],
            env={**variables(state, url, 0), "BENCH_IMAP_PORT": str(imap_port)},
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        yield state, url, done.stdout.strip()


@contextlib.contextmanager
def _postgresql() -> Iterator[str]:
    """Run a PostgreSQL of our own on a unix socket; give its URL."""
    control = find_program("pg_ctl", "postgresql")
    with tempfile.TemporaryDirectory(prefix="bench-pg-") as name:
        directory = Path(name)
        user = "postgres" if os.getuid() == 0 else None
        if user:
            os.chown(directory, pwd.getpwnam(user).pw_uid, -1)
        data = directory / "data"

        def run(*argv: str) -> None:
            subprocess.run(
                argv, check=True, user=user, stdout=subprocess.DEVNULL, cwd=directory, env={}
            )

        run(find_program("initdb", "postgresql"), "-A", "trust", "-U", "bench", "-D", str(data))
        options = f"-c listen_addresses= -c unix_socket_directories={directory}"
        log = str(directory / "log")
        run(control, "-D", str(data), "-w", "-l", log, "-o", options, "start")
        try:
            yield f"postgresql://bench@/postgres?host={directory}"
        finally:
            run(control, "-D", str(data), "-w", "-m", "fast", "stop")


# --- asking ---------------------------------------------------------------------------------------


class Asker:
    """Kept-alive connections, each with one request under way, as a node keeps them."""

    def __init__(self, service: AuthService, connections: int) -> None:
        self._token = service.token
        self._sockets = [
            socket.create_connection(("127.0.0.1", service.port), 30) for _ in range(connections)
        ]

    def close(self) -> None:
        """Close them."""
        for one in self._sockets:
            one.close()

    def ask(self, users: Sequence[int]) -> None:
        """Ask about each user once. Raises AssertionError unless each is let in."""
        waiting: Iterable[bytes] = iter([self._request(user) for user in users])
        buffers = dict.fromkeys(self._sockets, b"")
        poll = select.epoll()
        by_number = {one.fileno(): one for one in self._sockets}
        for one in self._sockets:
            poll.register(one.fileno(), select.EPOLLIN)
            self._send(one, waiting)
        answered = 0
        while answered < len(users):
            for number, _ in poll.poll(60) or self._late():
                one = by_number[number]
                buffers[one] += one.recv(4096)
                if buffers[one].endswith(b"\r\n\r\n"):
                    assert b"Auth-Status: OK\r\n" in buffers[one], buffers[one]
                    buffers[one] = b""
                    answered += 1
                    self._send(one, waiting)
        poll.close()

    def _late(self) -> list[tuple[int, int]]:
        raise AssertionError("no answer within a minute")

    def _send(self, one: socket.socket, waiting: Iterable[bytes]) -> None:
        request = next(iter(waiting), None)
        if request is not None:
            one.sendall(request)

    def _request(self, user: int) -> bytes:
        return (
            "GET /auth_http HTTP/1.1\r\nHost: 127.0.0.1\r\nAuth-Method: plain\r\n"
            f"Auth-User: user{user}{DOMAIN}\r\nAuth-Pass: {PASSWORD}\r\n"
            "Auth-Protocol: imap\r\nAuth-Login-Attempt: 1\r\nClient-IP: 192.0.2.9\r\n"
            f"X-Postroad-Node-Token: {self._token}\r\n\r\n"
        ).encode()
