"""The programs that make up an appliance on one machine."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from django.conf import settings

from appliance.fleet.launcher.ports import Door

WEB: Final = "web"
"""Name of the web server's program."""
AUTH: Final = "auth"
"""Name of the auth service's."""

_ROOT_IS_FINE = "ignore:You're running the worker with superuser privileges"


@dataclass(frozen=True, slots=True)
class Program:
    """One program to keep running."""

    name: str
    """As its output is marked."""
    arguments: tuple[str, ...]
    """What Python is given."""
    environment: Mapping[str, str] = field(default_factory=dict)
    calls_web: bool = False
    """Started once the web server answers, and stopped before it."""

    @property
    def argv(self) -> list[str]:
        """Give the whole command line."""
        return [sys.executable, *self.arguments]


def door() -> Door:
    """Give where the admin and the control link are."""
    return _door("The web interface", settings.HTTP_PORT, "POSTROAD_HTTP_PORT")


def auth_doors() -> list[Door]:
    """Give where the auth service's own process is, if there is to be one."""
    port = settings.AUTH_LISTEN_PORT
    if not port:
        return []
    return [_door("The auth service", port, "POSTROAD_AUTH_LISTEN_PORT")]


def doors() -> list[Door]:
    """Give every address that is listened on besides the mail listeners."""
    return [door(), *auth_doors()]


def _door(purpose: str, port: int, variable: str) -> Door:
    return Door(purpose, settings.HTTP_ADDRESS, port, variable, "POSTROAD_HTTP_ADDRESS")


def base_url(scheme: str) -> str:
    """Give the address of the web interface as seen from this machine."""
    host, port = door().reach
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def all_programs(node_dir: Path, token_file: Path) -> list[Program]:
    """Give everything that is started, in order of starting."""
    # threads: two of our short tasks at once are plenty, and need no processes of their own
    worker = ("worker", "--pool", "threads", "--concurrency", "2", "--loglevel", "WARNING")
    quiet = ("--without-gossip", "--without-mingle", "--without-heartbeat")
    celery = ("-m", "celery", "--quiet", "-A", "appliance.celery")
    return [
        Program(
            WEB,
            (
                *("-m", "daphne", "-v", "0", "--no-server-name"),
                *("-b", settings.HTTP_ADDRESS, "-p", str(settings.HTTP_PORT)),
                "appliance.asgi:application",
            ),
        ),
        *(Program(AUTH, ("-m", "appliance.auth_service")) for _ in auth_doors()),
        Program(
            "node",
            (
                *("-m", "proxycore", "serve", "--control", f"{base_url('ws')}/ws/node/"),
                *("--state-dir", str(node_dir), "--token-file", str(token_file)),
            ),
            calls_web=True,
        ),
        Program("worker", (*celery, *worker, *quiet), {"PYTHONWARNINGS": _ROOT_IS_FINE}),
        Program("beat", (*celery, "beat", "--loglevel", "WARNING", "--pidfile=")),
    ]


def environment(program: Program) -> dict[str, str]:
    """Give a program's environment: ours, unbuffered, with our modules importable."""
    path = os.pathsep.join(filter(None, (str(settings.BASE_DIR), os.environ.get("PYTHONPATH"))))
    return {
        **os.environ,
        "PYTHONUNBUFFERED": "1",
        "PYTHONPATH": path,
        "DJANGO_SETTINGS_MODULE": os.environ["DJANGO_SETTINGS_MODULE"],
        **program.environment,
    }
