"""Log lines as datagrams to a syslog server (RFC 3164), in the form nginx gives them.

    <190>Nov 22 10:24:55 host tag: 2026/11/22 10:24:55 [info] 995#0: *1 client logged in, …

A server that is away costs its messages and nothing else: nothing waits for it.
"""

import socket
import time
from typing import Final

from proxycore.contract.process import FACILITIES, SYSLOG, ErrorLog
from proxycore.net.log import LEVELS

DEFAULT_PORT: Final = 514

_UNIX = "unix:"
_MAX_BYTES = 8192
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Syslog:
    """One syslog server as one ``error_log`` names it."""

    def __init__(self, log: ErrorLog, hostname: str) -> None:
        """Look the server's name up. Raises OSError."""
        self._facility = FACILITIES.index(log.syslog_facility)
        host = f" {hostname.lower()}" if log.syslog_hostname else ""
        self._sender = f"{host} {log.syslog_tag}: "
        self._family, self._address = _find(log.target.removeprefix(SYSLOG))
        self._socket: socket.socket | None = None

    def send(self, level: str, at: float, line: str) -> str:
        """Send one line (without its end); gives what went wrong, or nothing."""
        priority = self._facility * 8 + LEVELS[level] - 1
        now = time.localtime(at)
        stamp = f"{_MONTHS[now.tm_mon - 1]} {now.tm_mday:2d} {time.strftime('%H:%M:%S', now)}"
        text = f"<{priority}>{stamp}{self._sender}{line}"
        try:
            if self._socket is None:
                self._socket = socket.socket(self._family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
                self._socket.connect(self._address)
            self._socket.send(text.encode("utf-8", "backslashreplace")[:_MAX_BYTES])
        except BlockingIOError:
            return "its queue is full"
        except OSError as error:
            # a unix socket that was made anew has to be connected to anew
            self.close()
            return f"{error.errno}: {error.strerror}"
        return ""

    def close(self) -> None:
        """Give the socket back; the next line opens another."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _find(server: str) -> tuple[int, tuple[str, int] | str]:
    if server.startswith(_UNIX):
        return socket.AF_UNIX, server.removeprefix(_UNIX)
    host, _, port = server.rpartition(":")
    if port.endswith("]") or not host:
        host, port = server, ""
    found = socket.getaddrinfo(host.strip("[]"), int(port or DEFAULT_PORT), type=socket.SOCK_DGRAM)
    family, _, _, _, address = found[0]
    return family, (str(address[0]), int(address[1]))
