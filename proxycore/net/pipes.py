"""Pipes for splice: held only while octets are in them, lent by the worker's one pool."""

import fcntl
import os
from typing import Final

PIPE_BYTES: Final = 1_048_576
"""What splice moves at once; the default limit for unprivileged users (pipe(7))."""

MOST_PIPES: Final = 64
"""Lent at one time: bounds what slow readers can pin in the kernel to 64 MiB a worker."""

_MOST_IDLE: Final = 8
_FLAGS: Final = os.SPLICE_F_MOVE | os.SPLICE_F_NONBLOCK


class Pipe:
    """A kernel buffer between two sockets."""

    __slots__ = ("_reader", "_writer", "held_bytes", "size_bytes")

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            self.size_bytes = fcntl.fcntl(self._writer, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        except OSError:
            # the user's pipe pages are used up: the default size does too, with more calls
            self.size_bytes = fcntl.fcntl(self._writer, fcntl.F_GETPIPE_SZ)
        self.held_bytes = 0

    def fill(self, source: int) -> int:
        """Take octets from a socket into this empty pipe; 0: the source has ended.

        Raises BlockingIOError when there is nothing, OSError when the source is broken.
        """
        self.held_bytes = os.splice(source, self._writer, self.size_bytes, flags=_FLAGS)
        return self.held_bytes

    def drain(self, sink: int) -> int:
        """Give octets to a socket; tell how many. Raises as ``os.write`` does."""
        gone = os.splice(self._reader, sink, self.held_bytes, flags=_FLAGS)
        self.held_bytes -= gone
        return gone

    def close(self) -> None:
        """Close both ends, and lose what is held."""
        os.close(self._reader)
        os.close(self._writer)


class PipePool:
    """Lends pipes; a few empty ones are kept open."""

    __slots__ = ("_idle", "lent")

    def __init__(self) -> None:
        self._idle: list[Pipe] = []
        self.lent = 0

    def take(self) -> Pipe | None:
        """Lend an empty pipe; None when there is none to be had, which is no error."""
        if self.lent >= MOST_PIPES:
            return None
        try:
            pipe = self._idle.pop() if self._idle else Pipe()
        except OSError:
            return None
        self.lent += 1
        return pipe

    def give(self, pipe: Pipe) -> None:
        """Take a pipe back; one that still holds octets is closed."""
        self.lent -= 1
        if pipe.held_bytes or len(self._idle) >= _MOST_IDLE:
            pipe.close()
        else:
            self._idle.append(pipe)

    def close(self) -> None:
        """Close the idle pipes."""
        while self._idle:
            self._idle.pop().close()
