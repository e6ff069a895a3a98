"""The few socket calls of the data path, on bare descriptors.

A descriptor number instead of a socket object saves a getsockname per accepted connection and
most of the memory of an idle one; ``os.read`` and ``os.write`` cost what ``recv`` and ``send`` do.
"""

import errno
import os
import socket
from typing import Final

READ_BYTES: Final = 16_384
"""Most octets of one read; one that fills it shows that there is more (see relay.py)."""

Address = tuple[int, tuple[str, int] | str]
"""Address family and what ``connect`` takes."""

# bound once: a name looked up in a module costs a compiled worker two hundred instructions
read: Final = os.read
write: Final = os.write

_UNIX: Final = socket.AF_UNIX
_TCP: Final = socket.IPPROTO_TCP
_NODELAY: Final = socket.TCP_NODELAY
_Socket: Final = socket.SocketType

_STREAM: Final = socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC

OUT_OF_ROOM: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
"""Errors of ``accept`` that another try cannot mend before something else is closed."""


def address_of(host: str, port: int) -> Address:
    """Give the address of an IP address (no brackets) or ``unix:/path``; ``port`` is then idle."""
    if host.startswith("unix:"):
        return socket.AF_UNIX, host.removeprefix("unix:")
    return (socket.AF_INET6 if ":" in host else socket.AF_INET), (host, port)


def shown_address(host: str, port: int) -> str:
    """Give an address as logs show it: ``192.0.2.1:25``, ``[2001:db8::1]:25``, ``unix:/path``."""
    if host.startswith("unix:"):
        return host
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def start_connect(address: Address) -> int:
    """Begin to connect; give the descriptor, on which the outcome shows.

    Without TCP_NODELAY a login would wait 40 ms per round trip. Raises OSError when it failed
    already.
    """
    family, where = address
    # what socket.socket adds to it costs a microsecond
    sock = _Socket(family, _STREAM)
    try:
        if family != _UNIX:
            sock.setsockopt(_TCP, _NODELAY, 1)
        code = sock.connect_ex(where)
        if code not in (0, errno.EINPROGRESS):
            raise OSError(code, os.strerror(code))
        return sock.detach()
    finally:
        # after detach this closes nothing
        sock.close()


def keep_alive(fd: int) -> None:
    """Have the kernel probe a silent connection (SO_KEEPALIVE); nothing on a unix socket."""
    sock = socket.socket(fileno=fd)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    finally:
        sock.detach()


def shut_writing(fd: int) -> None:
    """Send FIN; the other direction stays open. An already broken connection is no error."""
    sock = socket.socket(fileno=fd)
    try:
        sock.shutdown(socket.SHUT_WR)
    except OSError:
        pass
    finally:
        sock.detach()


def local_address(fd: int) -> tuple[str, int]:
    """Give our own address of a connection; ``("unix:", 0)`` for a unix socket."""
    sock = socket.socket(fileno=fd)
    try:
        name = sock.getsockname()
    finally:
        sock.detach()
    return (name[0], name[1]) if isinstance(name, tuple) else ("unix:", 0)


def is_connected(fd: int) -> bool:
    """Tell whether a connection that was begun has been accepted."""
    sock = socket.socket(fileno=fd)
    try:
        sock.getpeername()
    except OSError:
        return False
    finally:
        sock.detach()
    return True


def described(problem: OSError) -> str:
    """Give an error in nginx's form: ``111: Connection refused``."""
    return f"{problem.errno}: {problem.strerror}"
