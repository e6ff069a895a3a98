"""Free TCP ports that two test runs at once do not both take.

A port is held by an exclusive lock on a file named after it, for as long as the process that asked
lives (pgbouncer's tests do it this way). Ports below the kernel's ephemeral range are used, so
that no outgoing connection takes one between the choice and the bind.
"""

import contextlib
import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path
from typing import IO, Final

_LOWEST: Final = 10_200
_ATTEMPTS: Final = 2_000

_held: dict[int, IO[bytes]] = {}


def free_port() -> int:
    """Reserve a port that nobody listens on, until ``release`` or the end of this process."""
    directory = Path(tempfile.gettempdir()) / "postroad-test-ports"
    directory.mkdir(exist_ok=True)
    with contextlib.suppress(PermissionError):  # another user made it, and did this
        directory.chmod(0o1777)
    highest = _first_ephemeral_port() - 1
    for _ in range(_ATTEMPTS):
        port = random.randint(_LOWEST, highest)
        if port not in _held and _lock(directory / str(port), port):
            if _is_free(port):
                return port
            release(port)
    raise RuntimeError("no free port found")


def release(port: int) -> None:
    """Give a reserved port back."""
    lock = _held.pop(port, None)
    if lock is not None:
        lock.close()


def _lock(path: Path, port: int) -> bool:
    try:
        file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666), "rb+")
    except PermissionError:  # another user's run made it
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return False
    _held[port] = file
    return True


def _is_free(port: int) -> bool:
    for family, address in ((socket.AF_INET, ""), (socket.AF_INET6, "::")):
        try:
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.bind((address, port))
        except OSError as error:
            if family == socket.AF_INET6 and not socket.has_ipv6:
                continue
            if isinstance(error, PermissionError) or error.errno != 97:  # EAFNOSUPPORT
                return False
    return True


def _first_ephemeral_port() -> int:
    try:
        text = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii")
    except OSError:
        return 32_768
    first = int(text.split()[0])
    return first if first > _LOWEST + 1_000 else 32_768
