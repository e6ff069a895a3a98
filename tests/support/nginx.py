"""Debian's nginx with its mail module, as the reference and as somebody else's proxy."""

import os

from tests.support import require
from tests.support.process import Program

_MODULE = "/usr/lib/nginx/modules/ngx_mail_module.so"

_CONFIG = """\
load_module {module};
daemon off;
worker_processes 1;
{user}
pid {pid};
error_log {log} info;
events {{
    worker_connections 512;
}}
mail {{
{mail}
}}
"""


class Nginx(Program):
    """One nginx with a ``mail`` block."""

    name = "nginx"

    def __init__(self, mail: str, ports: list[int]) -> None:
        """Prepare nginx with this content of its ``mail`` block, listening on ``ports``."""
        super().__init__()
        self._mail = mail
        self._ports = ports

    def start(self) -> None:
        """Start and wait for the ports."""
        nginx = require.program("nginx")
        require.program(_MODULE)
        config = self.directory / "nginx.conf"
        config.write_text(
            _CONFIG.format(
                module=_MODULE,
                user="user nobody nogroup;" if os.getuid() == 0 else "",
                pid=self.directory / "nginx.pid",
                log=self.directory / "error.log",
                mail=self._mail,
            ),
            encoding="utf-8",
        )
        log = str(self.directory / "error.log")
        self.launch([nginx, "-p", str(self.directory), "-e", log, "-c", str(config)])
        for port in self._ports:
            self.wait_for_port(port)
