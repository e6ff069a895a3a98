"""The proxies compared: nginx as it comes and tuned, proxycore from nginx's file and its own."""

import json
import os
import pwd
import sys
from collections.abc import Mapping
from typing import Final

from tests.bench.accounting import process_tree
from tests.bench.machine import REPOSITORY, find_program
from tests.support.ports import free_port, release
from tests.support.process import Program

MAIL_MODULE: Final = "/usr/lib/nginx/modules/ngx_mail_module.so"
PROTOCOLS: Final = ("imap", "pop3", "smtp")

NGINX: Final = "nginx"
NGINX_TUNED: Final = "nginx-tuned"
NGINX_TWIN: Final = "nginx-twin"
OURS: Final = "ours"
OURS_KEEPALIVE: Final = "ours-keepalive"
OURS_CACHED: Final = "ours-cached"


class Proxy(Program):
    """A proxy with one worker, listening for the three protocols on loopback."""

    def __init__(self, name: str, auth_port: int, connections: int) -> None:
        self.name = name
        super().__init__()
        self.auth_port = auth_port
        self.connections = connections
        self.ports = {protocol: free_port() for protocol in PROTOCOLS}

    def processes(self) -> list[int]:
        """Give all processes the proxy consists of."""
        self.check_alive()
        return process_tree(self.pid)

    def close(self) -> None:
        """Stop, and give the ports back."""
        super().close()
        for port in self.ports.values():
            release(port)

    def wait_until_serving(self) -> None:
        """Wait for all listeners."""
        for port in self.ports.values():
            self.wait_for_port(port)

    def nginx_conf(self, *, tuned: bool = False) -> str:
        """Write the nginx.conf both sides run: defaults, but for what a test machine needs."""
        load = f"load_module {MAIL_MODULE};" if os.path.exists(MAIL_MODULE) else ""
        backlog = " backlog=4096" if tuned else ""
        servers = "\n".join(
            f"    server {{ listen 127.0.0.1:{port}{backlog}; protocol {protocol}; }}"
            for protocol, port in self.ports.items()
        )
        return f"""\
{load}
{_user_line()}
daemon off;
worker_processes 1;
pid {self.directory}/proxy.pid;
error_log {self.directory}/error.log;
events {{ worker_connections {self.connections}; }}
mail {{
    server_name bench.example;
    auth_http 127.0.0.1:{self.auth_port}/auth;
    {"proxy_buffer 64k;" if tuned else ""}
{servers}
}}
"""


class Nginx(Proxy):
    """Debian's nginx; ``tuned`` raises proxy_buffer and backlog, which an operator would."""

    def start(self) -> None:
        """Start and wait until it serves."""
        conf = self.directory / "nginx.conf"
        conf.write_text(self.nginx_conf(tuned=self.name == NGINX_TUNED), encoding="ascii")
        program = find_program("nginx", "nginx libnginx-mod-mail")
        self.launch([program, "-p", str(self.directory), "-c", str(conf), "-e", "stderr"])
        self.wait_until_serving()


class Ours(Proxy):
    """Proxycore alone, no appliance: from the same nginx.conf, or from a snapshot document."""

    def start(self) -> None:
        """Start and wait until it serves."""
        if self.name == OURS:
            config = self.directory / "nginx.conf"
            config.write_text(self.nginx_conf(), encoding="ascii")
        else:
            config = self.directory / "snapshot.json"
            config.write_text(json.dumps(self._snapshot()), encoding="ascii")
        argv = [sys.executable, "-m", "proxycore", "serve", "--config", str(config)]
        self.launch([*argv, "--workers", "1"], cwd=REPOSITORY)
        self.wait_until_serving()

    def _snapshot(self) -> Mapping[str, object]:
        auth_http = {
            "host": "127.0.0.1",
            "port": self.auth_port,
            "uri": "/auth",
            "keepalive": 16,
            "cache_ttl_ms": 3_600_000 if self.name == OURS_CACHED else 0,
        }
        user, group = _user()
        return {
            "servers": [
                {
                    "name": protocol,
                    "protocol": protocol,
                    "listens": [{"address": "127.0.0.1", "port": port}],
                    "server_names": ["bench.example"],
                    "auth_http": auth_http,
                }
                for protocol, port in self.ports.items()
            ],
            "process": {
                "worker_processes": 1,
                "worker_connections": self.connections,
                "user": user,
                "group": group,
                "error_logs": [{"target": f"{self.directory}/error.log"}],
            },
        }


def make_proxy(name: str, auth_port: int, connections: int) -> Proxy:
    """Make the proxy of a name (not started)."""
    kind = Nginx if name.startswith(NGINX) else Ours
    return kind(name, auth_port, connections)


def _user() -> tuple[str, str]:
    """Choose whom a root-started proxy runs its worker as; nobody else can choose."""
    if os.geteuid() != 0:
        return "", ""
    known = {entry.pw_name for entry in pwd.getpwall()}
    return ("www-data", "www-data") if "www-data" in known else ("nobody", "nogroup")


def _user_line() -> str:
    user, group = _user()
    return f"user {user} {group};" if user else ""
