"""The proxy under test: ours or nginx, both from one and the same nginx.conf."""

import os
import re
import signal
import subprocess

from tests.support import require
from tests.support.process import Program
from tests.support.proxycore import Proxycore

OURS = "proxycore"
NGINX = "nginx"
ALL = (OURS, NGINX)

_MODULE = "/usr/lib/nginx/modules/ngx_mail_module.so"

_CONFIG = """\
worker_processes 1;
pid @DIR@/logs/proxy.pid;
{main}
events {{
    worker_connections 1024;
}}
mail {{
{mail}
}}
"""
_ERROR_LOG = "error_log @DIR@/logs/error.log info;"


class Reference(Program):
    """Debian's nginx with its mail module, from a complete nginx.conf."""

    def __init__(self, config: str, ports: list[int]) -> None:
        """Prepare: ``@DIR@`` in ``config`` becomes the program's own directory."""
        self.name = NGINX
        super().__init__()
        (self.directory / "logs").mkdir()
        self._config = self.directory / "nginx.conf"
        self._config.write_text(config.replace("@DIR@", str(self.directory)), encoding="utf-8")
        self._ports = ports

    def start(self) -> None:
        """Start and wait for the ports."""
        nginx = require.program("nginx")
        require.program(_MODULE)
        # what ours does not need is said outside of the file, which is the same for both
        outside = f"load_module {_MODULE}; daemon off;"
        if os.getuid() == 0:
            outside += " user nobody nogroup;"
        first = str(self.directory / "logs" / "start.log")
        config = str(self._config)
        self.launch([nginx, "-p", str(self.directory), "-e", first, "-c", config, "-g", outside])
        for port in self._ports:
            self.wait_for_port(port)

    def reload(self) -> None:
        """Send HUP."""
        os.kill(self.pid, signal.SIGHUP)

    def log_files(self) -> list[os.PathLike[str]]:  # type: ignore[override]
        """Console and the files named by ``error_log``."""
        return [*super().log_files(), *sorted(self.directory.glob("logs/*.log"))]


Proxy = Proxycore | Reference


def build(kind: str, mail: str, ports: list[int], *, main: str = _ERROR_LOG) -> Proxy:
    """Prepare the proxy ``kind`` with this content of ``mail``.

    main: what stands in front of ``events``; ``@DIR@`` is the proxy's own directory.
    """
    config = _CONFIG.format(main=main, mail=mail)
    return Proxycore.standalone(config, ports) if kind == OURS else Reference(config, ports)


def nginx_version() -> tuple[int, ...]:
    """Give the version of the installed nginx; nothing when there is none."""
    try:
        done = subprocess.run(["/usr/sbin/nginx", "-v"], capture_output=True, check=False)
    except OSError:
        return ()
    found = re.search(rb"nginx/(\d+)\.(\d+)\.(\d+)", done.stderr)
    return tuple(int(part) for part in found.groups()) if found else ()
