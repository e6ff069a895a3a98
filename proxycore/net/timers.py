"""A coarse timer wheel: setting and cancelling cost one dictionary operation each.

Every login sets and cancels a few timers that almost never fire, so what counts is that a
cancelled timer leaves nothing behind. Precision is one tick; a timer is never early.
"""

from collections.abc import Callable
from typing import Final

TICK_S: Final = 0.1
_SLOTS: Final = 1024
_MASK: Final = _SLOTS - 1


class Timer:
    """One appointment, made by the wheel. ``cancel`` may be called at any time and any number of
    times."""

    # without an __init__, which would be half of what setting a timer costs
    __slots__ = ("at", "due_tick", "fn", "slot")

    at: float
    """When it was wanted, monotonic seconds."""
    due_tick: int
    fn: Callable[[], None] | None
    """What to call; None: it was called, or called off."""
    slot: "dict[Timer, None]"

    def cancel(self) -> None:
        """Call it off; nothing of it is kept."""
        if self.fn is not None:
            self.fn = None
            self.slot.pop(self, None)

    def fire(self) -> None:
        """Keep the appointment, unless it was cancelled meanwhile."""
        fn, self.fn = self.fn, None
        if fn is not None:
            fn()


class TimerWheel:
    """Timers by the tick they are due in; later revolutions share a slot and wait in it."""

    __slots__ = ("_next", "_slots", "_tick", "_tick_s")

    def __init__(self, now: float, tick_s: float = TICK_S) -> None:
        self._tick_s = tick_s
        self._tick = int(now / tick_s)
        self._slots: list[dict[Timer, None]] = [{} for _ in range(_SLOTS)]
        # No timer is due before this tick; None: there is none. A cancelled timer does not
        # raise it, which costs at most one idle wake-up.
        self._next: int | None = None

    def add(self, at: float, fn: Callable[[], None]) -> Timer:
        """Have ``fn`` called at or, by up to one tick, after ``at`` (monotonic seconds)."""
        due = int(at / self._tick_s) + 1
        if due <= self._tick:
            due = self._tick + 1
        if self._next is None or due < self._next:
            self._next = due
        timer = Timer()
        timer.at = at
        timer.due_tick = due
        timer.fn = fn
        timer.slot = slot = self._slots[due & _MASK]
        slot[timer] = None
        return timer

    def wait_s(self, now: float) -> float | None:
        """Tell how long nothing can be due; None: for ever."""
        if self._next is None:
            return None
        wait_s = self._next * self._tick_s - now
        return wait_s if wait_s > 0.0 else 0.0

    def take_due(self, now: float) -> list[Timer]:
        """Take the timers that are due; ``fire`` each, in order of their ticks."""
        tick = int(now / self._tick_s)
        if self._next is None or tick < self._next:
            self._tick = tick
            return []
        due: list[Timer] = []
        # after a long sleep one revolution visits every slot there is
        for visited in range(max(self._next, tick - _MASK), tick + 1):
            slot = self._slots[visited & _MASK]
            ripe = [timer for timer in slot if timer.due_tick <= tick]
            for timer in ripe:
                del slot[timer]
            due += ripe
            if not slot:
                self._slots[visited & _MASK] = {}
        self._tick = tick
        self._next = self._find_next(tick)
        return due

    def _find_next(self, tick: int) -> int | None:
        for ahead in range(tick + 1, tick + _SLOTS + 1):
            if self._slots[ahead & _MASK]:
                return ahead
            # a dictionary keeps the room it once needed, and a busy second may have filled it
            self._slots[ahead & _MASK] = {}
        return None

    def __len__(self) -> int:
        return sum(map(len, self._slots))
