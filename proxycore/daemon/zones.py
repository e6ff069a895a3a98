"""Shared memory that the supervisor keeps and all workers map: caches of TLS sessions, and counts.

A cache lives as long as configurations name it with the same size, so sessions survive reloads
and workers. The memory is anonymous (memfd): no file, no name, gone with the processes.
"""

import os
from collections.abc import Mapping
from typing import Final

from proxycore.contract.snapshot import Snapshot
from proxycore.policy.login_rates import KEY_BYTES, TABLE_BYTES

LOGIN_RATES: Final = "\0logins"
"""Name of the memory in which logins are counted; none that a configuration could give."""


class ZoneFile:
    """The memory of one cache. Zeros at first; takes pages as they are written."""

    __slots__ = ("_fd", "name", "size")

    def __init__(self, name: str, size: int) -> None:
        self.name, self.size = name, size
        self._fd = os.memfd_create("postroad-sessions", os.MFD_CLOEXEC)
        os.ftruncate(self._fd, size)

    def fileno(self) -> int:
        """Give the descriptor."""
        return self._fd

    def dup(self) -> "ZoneFile":
        """Give another descriptor of the same memory."""
        other = object.__new__(ZoneFile)
        other.name, other.size, other._fd = self.name, self.size, os.dup(self._fd)
        return other

    def close(self) -> None:
        """Give the descriptor back; who mapped the memory keeps it."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class Zones:
    """The caches by name."""

    def __init__(self) -> None:
        self._files: dict[tuple[str, int], ZoneFile] = {}

    def wanted(self, snapshot: Snapshot) -> Mapping[str, ZoneFile]:
        """Give the memory this snapshot names, new where there is none of the name and size."""
        return {name: self._file(name, size) for name, size in _named(snapshot).items()}

    def _file(self, name: str, size: int) -> ZoneFile:
        if (name, size) not in self._files:
            self._files[name, size] = file = ZoneFile(name, size)
            if name == LOGIN_RATES:
                os.pwrite(file.fileno(), os.urandom(KEY_BYTES), 0)
        return self._files[name, size]

    def settle(self, running: Snapshot | None) -> None:
        """Give back what is not named by the snapshot that runs."""
        named = {} if running is None else _named(running)
        for name, size in [key for key in self._files if named.get(key[0]) != key[1]]:
            self._files.pop((name, size)).close()


def _named(snapshot: Snapshot) -> dict[str, int]:
    named = {
        tls.ssl_session_cache_shared_name: tls.ssl_session_cache_shared_bytes
        for tls in (server.front_tls for server in snapshot.servers if server.speaks_tls)
        if tls.ssl_session_cache == "stored" and tls.ssl_session_cache_shared_name
    }
    if any(server.login_limits.limit_anything for server in snapshot.servers):
        named[LOGIN_RATES] = TABLE_BYTES
    return named
