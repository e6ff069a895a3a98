"""Redis and PostgreSQL of our own, for an appliance that has outgrown its embedded defaults."""

import os
import pwd
import signal
import subprocess
from pathlib import Path

import psycopg

from tests.support import require
from tests.support.ports import free_port
from tests.support.process import STOP_WITHIN_S, Program
from tests.support.wait import eventually


class Redis(Program):
    """One Redis that keeps nothing on disk."""

    name = "redis"

    def __init__(self) -> None:
        super().__init__()
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start and wait for the port."""
        server = require.program("redis-server")
        place = ("--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.directory))
        self.launch([server, *place, "--save", ""])
        self.wait_for_port(self.port)


class PostgreSQL(Program):
    """One PostgreSQL cluster; root runs it as the user of Debian's package."""

    name = "postgresql"

    def __init__(self) -> None:
        super().__init__()
        self.port = free_port()
        self.url = f"postgresql://postroad@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Make a cluster unless there is one, start it and wait for the port."""
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
        tools = found[-1].parent if found else Path(require.program("initdb")).parent
        become: list[str] = []
        if os.getuid() == 0:
            os.chown(self.directory, pwd.getpwnam("postgres").pw_uid, -1)
            setpriv = require.program("setpriv")
            become = [setpriv, "--reuid=postgres", "--regid=postgres", "--init-groups"]
        data = str(self.directory / "data")
        made = [str(tools / "initdb"), "-D", data, "-A", "trust", "-U", "postroad", "-N"]
        if not Path(data).exists():
            subprocess.run([*become, *made], check=True, cwd=self.directory, capture_output=True)
        sockets = ("-c", "listen_addresses=127.0.0.1", "-k", str(self.directory))
        self.launch([*become, str(tools / "postgres"), "-D", data, "-p", str(self.port), *sockets])
        eventually(
            self._answers, "it has recovered", within_s=30, tolerate=(psycopg.OperationalError,)
        )

    def _answers(self) -> bool:
        self.check_alive()
        with psycopg.connect(self.url, connect_timeout=2) as connection:
            return connection.execute("SELECT 1").fetchone() is not None

    def stop(self, signum: int = signal.SIGINT, *, within_s: float = STOP_WITHIN_S) -> int:
        """Stop without waiting for clients to leave."""
        return super().stop(signum, within_s=within_s)
