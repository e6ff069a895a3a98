"""The daemon as a real process: alone with an nginx.conf, or managed by an appliance."""

import os
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.support import process
from tests.support.process import Program
from tests.support.wait import eventually

ROOT = Path(__file__).resolve().parents[2]


_OWN_HOSTS = """
import socket
look_up = socket.getaddrinfo
def getaddrinfo(host, *more, **options):
    return look_up("{address}" if host == "localhost" else host, *more, **options)
socket.getaddrinfo = getaddrinfo
"""

_NOT_FOR_THE_DAEMON = ("django", "appliance", "channels", "celery")


def environment(**more: str) -> dict[str, str]:
    """Give a clean environment in which our own modules can be imported."""
    kept = {key: os.environ[key] for key in ("PATH", "LANG", "TMPDIR") if key in os.environ}
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", **more}


class Proxycore(Program):
    """One supervisor and its workers."""

    def __init__(self, arguments: Sequence[str], ports: Sequence[int], *, workers: int) -> None:
        self.name = "proxycore"
        super().__init__()
        self._arguments = list(arguments)
        self._ports = list(ports)
        self._workers = workers

    @classmethod
    def standalone(cls, config: str, ports: Sequence[int], *, workers: int = 1) -> "Proxycore":
        """Prepare ``serve --config``.

        config: text of the nginx.conf; ``@DIR@`` in it becomes the daemon's own directory.
        """
        daemon = cls([], ports, workers=workers)
        daemon.configure(config)
        daemon._arguments = ["--config", str(daemon.config_file)]
        return daemon

    @classmethod
    def managed(
        cls,
        control_url: str,
        token: str,
        ports: Sequence[int],
        *,
        workers: int = 1,
        localhost: str = "",
    ) -> "Proxycore":
        """Prepare ``serve --control``, with a state directory of its own.

        localhost: the address it finds for that name, as if it had an /etc/hosts of its own: so two
        nodes with one configuration have room on one machine. ``ports`` are waited for there.
        """
        daemon = cls([], ports, workers=workers)
        daemon.address = localhost or daemon.address
        token_file = daemon.directory / "token"
        token_file.write_text(token, encoding="ascii")
        token_file.chmod(0o600)
        daemon._arguments = [
            *("--control", control_url),
            *("--state-dir", str(daemon.state)),
            *("--token-file", str(token_file)),
        ]
        return daemon

    @property
    def config_file(self) -> Path:
        """The nginx.conf of a standalone daemon."""
        return self.directory / "nginx.conf"

    @property
    def state(self) -> Path:
        """The state directory of a managed daemon."""
        return self.directory / "state"

    def configure(self, config: str) -> None:
        """Write the nginx.conf; a running daemon takes it with ``reload``."""
        (self.directory / "logs").mkdir(exist_ok=True)
        self.config_file.write_text(config.replace("@DIR@", str(self.directory)), encoding="utf-8")

    def start(self) -> None:
        """Start and wait for the ports and the workers."""
        argv = [sys.executable, "-m", "proxycore", "serve", *self._arguments]
        argv += ["--workers", str(self._workers)]
        self.launch(argv, env=environment(PYTHONPATH=f"{self._without_django()}:{ROOT}"))
        for port in self._ports:
            self.wait_for_port(port)
        eventually(lambda: len(self.workers()) == self._workers, "every worker runs")

    def _without_django(self) -> Path:
        # proves in every test that the daemon runs where no Django is installed
        directory = self.directory / "absent"
        directory.mkdir(exist_ok=True)
        for name in _NOT_FOR_THE_DAEMON:
            text = f"raise ImportError('{name} is not for the daemon')\n"
            (directory / f"{name}.py").write_text(text, encoding="ascii")
        if self.address != "127.0.0.1":
            text = _OWN_HOSTS.format(address=self.address)
            (directory / "sitecustomize.py").write_text(text, encoding="ascii")
        return directory

    def forget_appliance(self) -> None:
        """Have a managed daemon look for its appliance where there is none, from its next start."""
        place = self._arguments.index("--control") + 1
        self._arguments[place] = "ws://127.0.0.1:9/ws/node/"

    def reload(self) -> None:
        """Send HUP."""
        os.kill(self.pid, signal.SIGHUP)

    def workers(self) -> list[int]:
        """Process ids of the workers now alive, oldest first."""
        return [pid for pid in process.children_of(self.pid) if process.is_alive(pid)]

    def log_files(self) -> list[Path]:
        """Console and the files named by ``error_log`` in ``logs/``."""
        return [*super().log_files(), *sorted(self.directory.glob("logs/*.log"))]


def greets(port: int) -> bool:
    """Tell whether a listener not only accepts but greets: a worker serves it."""
    with socket.create_connection(("127.0.0.1", port), 2) as connection:
        connection.settimeout(2)
        return connection.recv(1) != b""
