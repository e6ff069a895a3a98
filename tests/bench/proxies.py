"""The proxies compared: nginx as it comes and tuned, Dovecot's login proxy, and proxycore."""

import contextlib
import os
import pwd
import sys
from typing import Final

from tests.bench.accounting import process_tree
from tests.bench.control import Control
from tests.bench.machine import REPOSITORY, find_program
from tests.bench.snapshots import snapshot_of
from tests.bench.surroundings import NAME, Surroundings
from tests.support.ports import free_port, release
from tests.support.process import Program

MAIL_MODULE: Final = "/usr/lib/nginx/modules/ngx_mail_module.so"
PROTOCOLS: Final = ("imap", "pop3", "smtp")
SECURE: Final = {protocol: f"{protocol}s" for protocol in PROTOCOLS}
"""Protocol -> name of its port with TLS from the first octet."""

NGINX: Final = "nginx"
NGINX_TUNED: Final = "nginx-tuned"
NGINX_TWIN: Final = "nginx-twin"
NGINX_TLS: Final = "nginx-tls"
NGINX_VIEW: Final = "nginx-view"
DOVECOT: Final = "dovecot"
OURS: Final = "ours"
OURS_KEEPALIVE: Final = "ours-keepalive"
OURS_CACHED: Final = "ours-cached"
OURS_TLS: Final = "ours-tls"
OURS_TLS_BOTH: Final = "ours-tls-both"
OURS_VIEW: Final = "ours-view"


class Proxy(Program):
    """A proxy with one worker, listening on loopback for the protocols it has."""

    protocols: tuple[str, ...] = PROTOCOLS

    def __init__(self, name: str, around: Surroundings) -> None:
        self.name = name
        super().__init__()
        self.around = around
        wanted = [*self.protocols, *(SECURE.values() if self.speaks_tls else ())]
        self.ports = {protocol: free_port() for protocol in wanted}

    @property
    def speaks_tls(self) -> bool:
        """Whether it offers STARTTLS, and implicit TLS on ports of its own."""
        return "-tls" in self.name

    def processes(self) -> list[int]:
        """Give all processes the proxy consists of; the first one is the others' parent."""
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


class Nginx(Proxy):
    """Debian's nginx; ``tuned`` raises proxy_buffer and backlog, which an operator would."""

    def start(self) -> None:
        """Start and wait until it serves."""
        conf = self.directory / "nginx.conf"
        conf.touch(0o600)
        conf.write_text(self._conf(), encoding="ascii")
        program = find_program("nginx", "nginx libnginx-mod-mail")
        self.launch([program, "-p", str(self.directory), "-c", str(conf), "-e", "stderr"])
        self.wait_until_serving()

    def _conf(self) -> str:
        """Write the nginx.conf: defaults, but for what a test machine needs."""
        load = f"load_module {MAIL_MODULE};" if os.path.exists(MAIL_MODULE) else ""
        around = self.around
        user = _user()
        return f"""\
{load}
{f"user {' '.join(user)};" if user[0] else ""}
daemon off;
worker_processes 1;
pid {self.directory}/proxy.pid;
error_log {self.directory}/error.log;
events {{ worker_connections {around.connections}; }}
mail {{
    server_name {NAME};
    auth_http 127.0.0.1:{around.auth.port}{around.auth.uri};
    {self._options()}
{self._servers()}
}}
"""

    def _options(self) -> str:
        lines = []
        if self.name == NGINX_TUNED:
            lines.append("proxy_buffer 64k;")
        if self.around.auth.caller_secret:
            lines.append(f"auth_http_header X-NGX-Auth-Key {self.around.auth.caller_secret};")
        if self.speaks_tls:
            pair = self.around.certificate
            lines += [f"ssl_certificate {pair.certificate};", f"ssl_certificate_key {pair.key};"]
            lines.append("ssl_protocols TLSv1.2 TLSv1.3;")  # before 1.23.4 it had no 1.3 by itself
        return "\n    ".join(lines)

    def _servers(self) -> str:
        backlog = " backlog=4096" if self.name == NGINX_TUNED else ""
        lines = []
        for protocol in PROTOCOLS:
            listen = f"listen 127.0.0.1:{self.ports[protocol]}{backlog}; protocol {protocol};"
            starttls = " starttls on;" if self.speaks_tls else ""
            lines.append(f"    server {{ {listen}{starttls} }}")
            if self.speaks_tls:
                listen = f"listen 127.0.0.1:{self.ports[SECURE[protocol]]} ssl;"
                lines.append(f"    server {{ {listen} protocol {protocol}; }}")
        return "\n".join(lines)


class Ours(Proxy):
    """Proxycore as a node of an appliance, with everything it does for one switched on."""

    def __init__(self, name: str, around: Surroundings) -> None:
        super().__init__(name, around)
        self.snapshot = snapshot_of(
            around,
            self.ports,
            log_directory=self.directory,
            user=_user(),
            keepalive=0 if name == OURS else 16,
            cache_ttl_ms={OURS_CACHED: 3_600_000, OURS_VIEW: 60_000}.get(name, 0),
            secure_back=name == OURS_TLS_BOTH,
        )
        self.control = Control(self.snapshot)

    def start(self) -> None:
        """Start and wait until it serves what the appliance told it to."""
        token = self.directory / "token"
        token.touch(0o600)
        token.write_text(self.around.auth.node_token, encoding="ascii")
        argv = [sys.executable, "-m", "proxycore", "serve", "--control", self.control.url]
        argv += ["--state-dir", str(self.directory / "state"), "--token-file", str(token)]
        self.launch([*argv, "--workers", "1"], cwd=REPOSITORY)
        self.wait_until_serving()
        self.control.wait_until_active()

    def close(self) -> None:
        """Stop the node, then the appliance."""
        with contextlib.closing(self.control):
            super().close()

    def worker(self) -> int:
        """Give the process id of its worker."""
        (worker,) = self.processes()[1:]
        return worker


_DOVECOT: Final = """\
instance_name = bench
base_dir = {directory}/run
log_path = {directory}/dovecot.log
protocols = imap pop3
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
mail_max_userip_connections = 0
default_internal_user = {internal}
default_internal_group = {internal}
default_login_user = {login}
default_client_limit = {connections}
default_vsz_limit = 0
passdb {{
  driver = static
  args = nopassword=y proxy=y host=127.0.0.1 port={imap_backend} protocol=imap
}}
userdb {{
  driver = prefetch
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
service imap-login {{
  chroot =
  process_min_avail = 1
  process_limit = 1
  service_count = 0
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service pop3-login {{
  chroot =
  process_min_avail = 0
  inet_listener pop3 {{
    port = 0
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
"""


class Dovecot(Proxy):
    """Dovecot's login proxy in its high-performance mode: one process for all IMAP clients."""

    protocols = ("imap",)

    def start(self) -> None:
        """Start and wait until it serves."""
        root = os.geteuid() == 0
        me = pwd.getpwuid(os.getuid()).pw_name
        text = _DOVECOT.format(
            directory=self.directory,
            internal="dovecot" if root else me,
            login="dovenull" if root else me,
            connections=self.around.connections,
            imap=self.ports["imap"],
            imap_backend=self.around.backend_ports[0],
        )
        conf = self.directory / "dovecot.conf"
        conf.write_text(text, encoding="ascii")
        self.launch([find_program("dovecot", "dovecot-imapd"), "-F", "-c", str(conf)])
        self.wait_until_serving()


def make_proxy(name: str, around: Surroundings) -> Proxy:
    """Make the proxy of a name (not started)."""
    if name.startswith(NGINX):
        return Nginx(name, around)
    return Dovecot(name, around) if name == DOVECOT else Ours(name, around)


def _user() -> tuple[str, str]:
    """Choose whom a root-started proxy runs its worker as; nobody else can choose."""
    if os.geteuid() != 0:
        return "", ""
    known = {entry.pw_name for entry in pwd.getpwall()}
    return ("www-data", "www-data") if "www-data" in known else ("nobody", "nogroup")
