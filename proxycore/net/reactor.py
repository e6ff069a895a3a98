"""The worker's event loop: file descriptors, timers, wake-ups. The only module that knows epoll.

Level-triggered, because a handler may then do as much or as little as it likes; an edge-triggered
prototype lost a wake-up and gained 5 % at most (ADR-0011). A handler is called as
``handler(fd, events)`` and must take a call without cause: it tries to read or write and finds
out. Descriptors given to ``close`` are closed when the round is over, so a number cannot be used
again while events of its old owner are still being handed out.
"""

import os
import select
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Final

from proxycore.net.timers import TICK_S, Timer, TimerWheel

Handler = Callable[[int, int], None]

READ: Final = select.EPOLLIN
WRITE: Final = select.EPOLLOUT
BROKEN: Final = select.EPOLLERR | select.EPOLLHUP
"""Reported always, asked for or not."""
SHARED: Final = select.EPOLLEXCLUSIVE
"""Added for a descriptor that other processes wait for too: only one is woken. Cannot be changed,
only forgotten and watched again."""

_MAX_EVENTS: Final = 512


def _raise(bug: Exception) -> None:
    raise bug


class Reactor:
    """One loop. Not thread-safe, except for ``wake``."""

    __slots__ = (
        "_doomed",
        "_epoll",
        "_handlers",
        "_running",
        "_wake_fd",
        "_wheel",
        "_woken",
        "now",
        "on_bug",
    )

    def __init__(self, *, tick_s: float = TICK_S) -> None:
        self.now = monotonic()
        """Monotonic seconds, as of the beginning of this round."""
        self.on_bug: Callable[[Exception], None] = _raise
        """What is told of an exception out of a handler, a fault of ours. Set by the worker."""
        self._epoll = select.epoll()
        self._handlers: list[Handler | None] = []
        self._doomed: list[int] = []
        self._wheel = TimerWheel(self.now, tick_s)
        self._woken: deque[Callable[[], None]] = deque()
        self._running = False
        self._wake_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.watch(self._wake_fd, READ, self._on_wake)

    # --- descriptors ---

    def watch(self, fd: int, events: int, handler: Handler) -> None:
        """Have ``handler(fd, events)`` called whenever ``fd`` is ready."""
        self._epoll.register(fd, events)
        try:
            self._handlers[fd] = handler
        except IndexError:
            self._handlers.extend([None] * (fd + 64 - len(self._handlers)))
            self._handlers[fd] = handler

    def change(self, fd: int, events: int) -> None:
        """Wait for other events of a watched ``fd``."""
        self._epoll.modify(fd, events)

    def hand_over(self, fd: int, handler: Handler) -> None:
        """Let another handler look after a watched ``fd``; costs no system call."""
        self._handlers[fd] = handler

    def forget(self, fd: int) -> None:
        """Stop watching ``fd``, which stays open."""
        self._handlers[fd] = None
        self._epoll.unregister(fd)

    def close(self, fd: int) -> None:
        """Close ``fd``, watched or not, at the end of this round; its handler is called no more.

        Only for a descriptor that no other process shares: epoll forgets it by itself.
        """
        if fd < len(self._handlers):
            self._handlers[fd] = None
        self._doomed.append(fd)

    # --- time ---

    def call_later(self, delay_s: float, fn: Callable[[], None]) -> Timer:
        """Call ``fn`` after ``delay_s``, at most a tick later than that, unless cancelled."""
        return self._wheel.add(self.now + delay_s, fn)

    def wake(self, fn: Callable[[], None]) -> None:
        """Have ``fn`` called by the loop, soon. May be called from any thread."""
        self._woken.append(fn)
        os.eventfd_write(self._wake_fd, 1)

    def _on_wake(self, fd: int, events: int) -> None:
        os.eventfd_read(fd)
        for _ in range(len(self._woken)):
            self._guard(self._woken.popleft())

    # --- the loop ---

    def run(self) -> None:
        """Run until ``stop``."""
        self._running = True
        while self._running:
            self.step()

    def stop(self) -> None:
        """Let ``run`` return after this round."""
        self._running = False

    def step(self, most_s: float | None = None) -> None:
        """Do one round: wait (no longer than ``most_s``), handlers, timers, closes."""
        wait_s = self._wheel.wait_s(monotonic())
        if most_s is not None and (wait_s is None or most_s < wait_s):
            wait_s = most_s
        if self._doomed:
            wait_s = 0.0
        ready = self._epoll.poll(wait_s, _MAX_EVENTS)
        self.now = monotonic()
        handlers = self._handlers
        for fd, events in ready:
            handler = handlers[fd]
            if handler is not None:
                try:
                    handler(fd, events)
                except Exception as bug:  # noqa: BLE001  (our bug must not end every session)
                    # left watched, a ready descriptor would raise the same bug for ever
                    self._drop(fd)
                    self.on_bug(bug)
        for timer in self._wheel.take_due(self.now):
            self._guard(timer.fire)
        if self._doomed:
            self._close_doomed()

    def _guard(self, fn: Callable[[], None]) -> None:
        try:
            fn()
        except Exception as bug:  # noqa: BLE001  (as above)
            self.on_bug(bug)

    def _drop(self, fd: int) -> None:
        if self._handlers[fd] is not None:
            self.forget(fd)

    def _close_doomed(self) -> None:
        doomed, self._doomed = self._doomed, []
        for fd in doomed:
            os.close(fd)

    @property
    def timer_count(self) -> int:
        """How many timers are set; for tests and diagnosis, it visits every slot."""
        return len(self._wheel)

    def shut(self) -> None:
        """Give the loop's own descriptors back. The last call."""
        self._close_doomed()
        os.close(self._wake_fd)
        self._epoll.close()
