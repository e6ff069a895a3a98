"""The listening sockets, owned by the supervisor and shared by all workers.

Listening starts in the supervisor, before any worker accepts: a replaced worker or a slow start
costs a wait in the queue, never a refused connection.
"""

import errno
import os
import socket
import stat
from collections.abc import Mapping

from proxycore.contract.messages import SettingProblem
from proxycore.contract.snapshot import Listen
from proxycore.daemon.apply import Opening

_UNIX = "unix:"


class Listeners:
    """Open listening sockets by ``Listen.key``."""

    def __init__(self) -> None:
        self._open: dict[str, socket.socket] = {}
        self._inodes: dict[str, tuple[int, int]] = {}

    @property
    def sockets(self) -> Mapping[str, socket.socket]:
        """The open sockets."""
        return self._open

    def open(self, wanted: tuple[Opening, ...]) -> list[SettingProblem]:
        """Open all of these or, when problems are returned, none."""
        opened: list[str] = []
        problems: list[SettingProblem] = []
        for opening in wanted:
            key = opening.listen.key
            try:
                self._open[key] = self._bind(opening.listen)
                opened.append(key)
            except OSError as error:
                message = _explain(key, error, set(self._open))
                problems.append(SettingProblem(path=opening.path, message=message))
        if problems:
            self.close(opened)
        return problems

    def resize(self, listens: tuple[Listen, ...]) -> None:
        """Give open sockets another queue length."""
        for listen in listens:
            self._open[listen.key].listen(listen.backlog)

    def close(self, keys: tuple[str, ...] | list[str]) -> None:
        """Close these; a unix socket's name goes with it, unless somebody took the name."""
        for key in keys:
            sock = self._open.pop(key, None)
            if sock is None:
                continue
            sock.close()
            if key.startswith(_UNIX):
                self._remove(key)

    def close_all(self) -> None:
        """Close everything."""
        self.close(list(self._open))

    def _bind(self, listen: Listen) -> socket.socket:
        sock = _socket_for(listen)
        try:
            if sock.family == socket.AF_UNIX:
                path = listen.address.removeprefix(_UNIX)
                _clear_way(path)
                sock.bind(path)
                # like nginx: whoever may reach the directory may connect
                os.chmod(path, 0o666)  # noqa: S103
                found = os.stat(path)
                self._inodes[listen.key] = (found.st_dev, found.st_ino)
            else:
                host = "0.0.0.0" if listen.address == "*" else listen.address  # noqa: S104
                sock.bind((host, listen.port))
            sock.listen(listen.backlog)
        except OSError:
            sock.close()
            raise
        return sock

    def _remove(self, key: str) -> None:
        path = key.removeprefix(_UNIX)
        try:
            found = os.stat(path)
            if self._inodes.pop(key, None) == (found.st_dev, found.st_ino):
                os.unlink(path)
        except FileNotFoundError:
            pass


def _socket_for(listen: Listen) -> socket.socket:
    if listen.address.startswith(_UNIX):
        return socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    family = socket.AF_INET6 if ":" in listen.address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # accepted sockets inherit it: one system call less per session (performance.md §11)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    return sock


def _clear_way(path: str) -> None:
    """Remove a socket file that nobody listens on. Raises OSError for anything else there."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise OSError(errno.EEXIST, "File exists and is not a socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
            return
    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


def _explain(key: str, error: OSError, ours: set[str]) -> str:
    cause = f"{error.errno}: {error.strerror}" if error.errno else str(error)
    text = f"bind() to {key} failed ({cause})"
    port = key.rpartition(":")[2]
    overlapping = sorted(
        other
        for other in ours
        if other.endswith(f":{port}") and other.startswith("[") == key.startswith("[")
    )
    if error.errno == errno.EADDRINUSE and overlapping:
        return f"{text}: it overlaps {overlapping[0]}, which is open now; remove that one first"
    if error.errno == errno.EADDRINUSE:
        return f"{text}: another program listens there; stop it, or change this listen address"
    if error.errno == errno.EACCES and not key.startswith(_UNIX):
        return f"{text}: ports below 1024 need root or CAP_NET_BIND_SERVICE"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{text}: no interface of this machine has that address"
    return text
