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
_MULTIPATH_TCP = 262  # linux/in.h: IPPROTO_MPTCP, which this Python has no name for


class Listeners:
    """Open listening sockets by ``Listen.key``."""

    def __init__(self) -> None:
        self._open: dict[str, socket.socket] = {}
        self._inodes: dict[str, tuple[int, int]] = {}
        self._inherited: dict[str, socket.socket] = {}
        self.are_shared = False
        """Another process serves, too: a unix socket's name is not ours alone to remove."""
        self.ignored: list[str] = []
        """Options that this kernel does not have, as told since somebody last looked."""

    @property
    def sockets(self) -> Mapping[str, socket.socket]:
        """The open sockets."""
        return self._open

    def inherit(self, sockets: Mapping[str, socket.socket]) -> None:
        """Take these, which are listening, in the place of such as would be opened."""
        self._inherited.update(sockets)

    @property
    def has_inherited(self) -> bool:
        """Something is inherited that nothing has been opened for yet."""
        return bool(self._inherited)

    def drop_inherited(self) -> None:
        """Close what was inherited and is not wanted. The names stay: others may serve there."""
        for sock in self._inherited.values():
            sock.close()
        self._inherited.clear()

    def open(self, wanted: tuple[Opening, ...]) -> list[SettingProblem]:
        """Open all of these or, when problems are returned, none."""
        opened: list[str] = []
        problems: list[SettingProblem] = []
        for opening in wanted:
            key = opening.listen.key
            try:
                self._open[key] = self._adopt(opening.listen) or self._bind(opening.listen)
                opened.append(key)
            except OSError as error:
                message = _explain(key, error)
                problems.append(SettingProblem(path=opening.path, message=message))
        if problems:
            self.close(opened)
        return problems

    def try_out(self, wanted: tuple[Opening, ...]) -> list[SettingProblem]:
        """Say what ``open`` would; nothing stays open, and nobody can connect meanwhile."""
        problems: list[SettingProblem] = []
        for opening in wanted:
            listen = opening.listen
            try:
                if listen.address.startswith(_UNIX):
                    _look_at(listen.address.removeprefix(_UNIX))
                elif listen.key not in self._inherited:
                    # bound and not listening: the kernel refuses whoever calls, as before
                    self._bind(listen, is_listening=False).close()
            except OSError as error:
                message = _explain(listen.key, error)
                problems.append(SettingProblem(path=opening.path, message=message))
        # told again when it is opened
        self.ignored.clear()
        return problems

    def change(self, old: Listen, new: Listen) -> list[str]:
        """Give an open socket other options; gives warnings about those that it cannot take.

        What is set here holds for connections that come from now on.
        """
        sock = self._open[new.key]
        _set_options(sock, new)
        sock.listen(new.backlog)
        return self.fixed(old, new)

    @staticmethod
    def fixed(old: Listen, new: Listen) -> list[str]:
        """Give warnings about options that an open socket cannot take."""
        unset = [
            name for name in _SYSTEM_S_UNLESS_SET if getattr(old, name) and not getattr(new, name)
        ]
        fixed = [n for n in ("ipv6only", "multipath") if getattr(old, n) != getattr(new, n)]
        if old.so_keepalive != "default" and new.so_keepalive == "default":
            unset.append("so_keepalive")
        why = f"cannot be changed on the open socket {new.key}: restart to have it"
        return [f'"{name}" {why}' for name in (*unset, *fixed)]

    def close(self, keys: tuple[str, ...] | list[str]) -> None:
        """Close these; a unix socket's name goes with it, unless somebody took the name."""
        for key in keys:
            sock = self._open.pop(key, None)
            if sock is None:
                continue
            sock.close()
            if key.startswith(_UNIX) and not self.are_shared:
                self._remove(key)

    def close_all(self) -> None:
        """Close everything."""
        self.close(list(self._open))
        self.drop_inherited()

    def _adopt(self, listen: Listen) -> socket.socket | None:
        sock = self._inherited.pop(listen.key, None)
        if sock is None:
            return None
        try:
            sock.setblocking(False)
            _set_options(sock, listen)
            sock.listen(listen.backlog)
            if sock.family == socket.AF_UNIX:
                self._note_name(listen)
        except OSError:
            sock.close()
            raise
        return sock

    def _note_name(self, listen: Listen) -> None:
        found = os.stat(listen.address.removeprefix(_UNIX))
        self._inodes[listen.key] = (found.st_dev, found.st_ino)

    def _bind(self, listen: Listen, *, is_listening: bool = True) -> socket.socket:
        sock = self._make(listen)
        overlapping: list[socket.socket] = []
        try:
            if sock.family == socket.AF_UNIX:
                path = listen.address.removeprefix(_UNIX)
                _clear_way(path)
                sock.bind(path)
                # like nginx: whoever may reach the directory may connect
                os.chmod(path, 0o666)  # noqa: S103
                self._note_name(listen)
            else:
                overlapping = self._overlapping(listen)
                _share(overlapping and [sock, *overlapping], on=True)
                host = "0.0.0.0" if listen.ip == "*" else listen.ip  # noqa: S104
                sock.bind((host, listen.port))
            if is_listening:
                sock.listen(listen.backlog)
        except OSError:
            sock.close()
            raise
        finally:
            _share(overlapping and [s for s in (sock, *overlapping) if s.fileno() >= 0], on=False)
        return sock

    def _overlapping(self, listen: Listen) -> list[socket.socket]:
        """Give our own sockets on the same port, which the kernel would not have beside this one.

        One of them is a wildcard: it serves what no other does, or is about to be closed.
        """
        end = f":{listen.port}"
        return [sock for key, sock in self._open.items() if key.endswith(end)]

    def _make(self, listen: Listen) -> socket.socket:
        if listen.address.startswith(_UNIX):
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
            _set_options(sock, listen)
            return sock
        family = socket.AF_INET6 if ":" in listen.address else socket.AF_INET
        kind = socket.SOCK_STREAM | socket.SOCK_NONBLOCK
        if listen.multipath:
            try:
                sock = socket.socket(family, kind, _MULTIPATH_TCP)
            except OSError:
                self.ignored.append(
                    f'"multipath" of {listen.key} is ignored: no such protocol here'
                )
                sock = socket.socket(family, kind)
        else:
            sock = socket.socket(family, kind)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # accepted sockets inherit it: one system call less per session (performance.md §11)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, listen.ipv6only)
        try:
            _set_options(sock, listen)
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


_SYSTEM_S_UNLESS_SET = (
    *("rcvbuf_bytes", "sndbuf_bytes"),
    *("keepalive_idle_s", "keepalive_interval_s", "keepalive_count"),
)


def _set_options(sock: socket.socket, listen: Listen) -> None:
    """Set what accepted connections inherit."""
    if listen.rcvbuf_bytes:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, listen.rcvbuf_bytes)
    if listen.sndbuf_bytes:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, listen.sndbuf_bytes)
    if sock.family == socket.AF_UNIX:
        return
    if listen.so_keepalive != "default":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, listen.so_keepalive == "on")
    for option, value in (
        (socket.TCP_KEEPIDLE, listen.keepalive_idle_s),
        (socket.TCP_KEEPINTVL, listen.keepalive_interval_s),
        (socket.TCP_KEEPCNT, listen.keepalive_count),
    ):
        if value:
            sock.setsockopt(socket.IPPROTO_TCP, option, value)


def _share(socks: list[socket.socket], *, on: bool) -> None:
    """Let sockets of ours be bound to one port beside each other, or take that back.

    The kernel wants SO_REUSEPORT on all of them while one is bound. It does not stay, so that
    another program, or a second one of us, still finds the port taken.
    """
    for sock in socks:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, on)


def _look_at(path: str) -> None:
    """Raise OSError where no socket file can be made; leave everything as it is."""
    directory = os.path.dirname(path)
    os.stat(directory)
    if not os.access(directory, os.W_OK | os.X_OK, effective_ids=True):
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))
    _is_abandoned(path)


def _clear_way(path: str) -> None:
    """Remove a socket file that nobody listens on. Raises OSError for anything else there."""
    if _is_abandoned(path):
        os.unlink(path)


def _is_abandoned(path: str) -> bool:
    """Tell whether a socket file is there and nobody listens. Raises OSError if in the way."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return False
    if not stat.S_ISSOCK(mode):
        raise OSError(errno.EEXIST, "File exists and is not a socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            return True
    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


def _explain(key: str, error: OSError) -> str:
    cause = f"{error.errno}: {error.strerror}" if error.errno else str(error)
    text = f"bind() to {key} failed ({cause})"
    if error.errno == errno.EADDRINUSE:
        return f"{text}: another program listens there; stop it, or change this listen address"
    if error.errno == errno.EACCES and not key.startswith(_UNIX):
        return f"{text}: ports below 1024 need root or CAP_NET_BIND_SERVICE"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{text}: no interface of this machine has that address"
    return text
