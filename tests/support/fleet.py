"""A grown-up installation on one machine: every program by itself, so that each can be killed."""

import contextlib
import signal
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Final

import psycopg
from redis import Redis as Client

from tests.support import require
from tests.support.appliance import WebOnly
from tests.support.databases import PostgreSQL, Redis
from tests.support.ports import free_port
from tests.support.process import Program
from tests.support.proxycore import Proxycore

PLACES: Final = {"north": "127.0.0.1", "south": "127.0.0.2", "west": "127.0.0.3"}
"""The nodes. All listen on ``localhost``, which each finds at an address of its own."""

_BALANCER: Final = """\
daemon off;
worker_processes 1;
pid {directory}/nginx.pid;
error_log {directory}/error.log info;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    map $http_upgrade $connection_upgrade {{ default upgrade; '' close; }}
    upstream webs {{ {servers} }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://webs;
            proxy_http_version 1.1;
            proxy_set_header Host $host:$server_port;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
            proxy_read_timeout 1h;
        }}
    }}
}}
"""


class Balancer(Program):
    """An nginx in front of several web servers, with nothing in it that is about Postroad."""

    name = "balancer"

    def __init__(self, ports: list[int]) -> None:
        super().__init__()
        self.port = free_port()
        self._servers = " ".join(f"server 127.0.0.1:{port} fail_timeout=1s;" for port in ports)

    def start(self) -> None:
        """Start and wait for the port."""
        config = self.directory / "nginx.conf"
        text = _BALANCER.format(directory=self.directory, servers=self._servers, port=self.port)
        config.write_text(text, encoding="utf-8")
        log = str(self.directory / "error.log")
        self.launch([require.program("nginx"), "-e", log, "-c", str(config)])
        self.wait_for_port(self.port)


class Part(Program):
    """A program of the appliance beside the web server."""

    def __init__(self, name: str, web: WebOnly, *module: str, port: int = 0) -> None:
        self.name = name
        super().__init__()
        self._web, self._module, self._port = web, module, port

    def start(self) -> None:
        """Start; wait for the port if there is one."""
        python = self._web.interpreter
        environment = {**self._web.environment, "PYTHONWARNINGS": _ROOT_IS_FINE}
        self.launch([python, "-m", *self._module], env=environment, cwd=self._web.root)
        if self._port:
            self.wait_for_port(self._port)


_ROOT_IS_FINE: Final = "ignore:You're running the worker with superuser privileges"
_CELERY: Final = ("celery", "--quiet", "-A", "appliance.celery")
_WORKER: Final = (
    *("worker", "--pool", "threads", "--concurrency", "2", "--loglevel", "WARNING"),
    *("--without-gossip", "--without-mingle", "--without-heartbeat"),
)


@dataclass
class Fleet:
    """The parts, by the names a test kills them by."""

    web: WebOnly
    """The first of the web servers; its ``manage`` and ``python`` need only the database."""
    second_web: WebOnly
    parts: Mapping[str, Program]
    nodes: Mapping[str, Proxycore]
    link_url: str
    """The control link, by way of the balancer."""
    ended: list[str] = field(default_factory=list)

    def kill(self, name: str) -> None:
        """Kill a part without a warning."""
        self._all[name].stop(signal.SIGKILL)
        self.ended.append(name)

    def bring_back(self) -> None:
        """Start whatever was killed, as an init system would."""
        while self.ended:
            self._all[self.ended.pop()].start()

    def everything_kept(self) -> dict[str, bytes]:
        """Give what database and Redis hold, and what every program has logged, by name."""
        kept = {f"log of {name}": part.log().encode() for name, part in self._all.items()}
        redis = Client.from_url(self.web.variables["POSTROAD_REDIS_URL"])
        with contextlib.closing(redis):
            kept["Redis"] = b"".join(key + (redis.dump(key) or b"") for key in redis.scan_iter())
        with psycopg.connect(self.web.variables["POSTROAD_DATABASE_URL"]) as database:
            tables = database.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
            for (table,) in tables.fetchall():
                with database.cursor().copy(f'COPY "{table}" TO STDOUT') as rows:
                    kept[f"table {table}"] = b"".join(bytes(row) for row in rows)
        return kept

    @property
    def _all(self) -> dict[str, Program]:
        return {**self.parts, **self.nodes}


@contextlib.contextmanager
def fleet() -> Generator[Fleet, None, None]:
    """Run PostgreSQL, Redis, two web servers behind a balancer, everything else, three nodes."""
    with contextlib.ExitStack() as stack:
        redis, database = stack.enter_context(Redis()), stack.enter_context(PostgreSQL())
        auth_port = free_port()
        first = WebOnly(variables=_variables(redis, database, auth_port))
        stack.callback(first.close)
        key = {"POSTROAD_SECRET_KEY_FILE": str(first.state / "secret.key")}
        first.variables |= key
        first.manage("migrate", "--verbosity", "0")
        first.python("from appliance.servers import services\nservices.create_default_blocks()")
        first.publish()
        own = ("POSTROAD_HTTP_PORT", "POSTROAD_STATE_DIR")
        common = {name: value for name, value in first.variables.items() if name not in own}
        second = WebOnly(variables=common)
        webs = [stack.enter_context(web) for web in (first, second)]
        parts = {
            "balancer": Balancer([web.http_port for web in webs]),
            "auth": Part("auth", first, "appliance.auth_service", port=auth_port),
            "worker": Part("worker", first, *_CELERY, *_WORKER),
            "beat": Part("beat", first, *_CELERY, "beat", "--loglevel", "WARNING", "--pidfile="),
        }
        for part in parts.values():
            stack.enter_context(part)
        link_url = f"ws://127.0.0.1:{parts['balancer'].port}/ws/node/"
        nodes = {name: _node(first, name, link_url) for name in PLACES}
        for node in nodes.values():
            stack.enter_context(node)
        named = {"redis": redis, "database": database, "web": first, "second web": second, **parts}
        yield Fleet(first, second, named, nodes, link_url)


def _node(web: WebOnly, name: str, link_url: str) -> Proxycore:
    token, ports = web.enrol(name).token, web.front.ports
    return Proxycore.managed(link_url, token, ports, localhost=PLACES[name])


def _variables(redis: Redis, database: PostgreSQL, auth_port: int) -> dict[str, str]:
    return {
        "POSTROAD_REDIS_URL": redis.url,
        "POSTROAD_DATABASE_URL": database.url,
        "POSTROAD_AUTH_LISTEN_PORT": str(auth_port),
        "POSTROAD_AUTH_HTTP_PORT": str(auth_port),
        "POSTROAD_LISTEN_ADDRESS": "localhost",
        "POSTROAD_TLS": "off",
    }
