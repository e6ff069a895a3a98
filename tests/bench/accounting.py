"""What the kernel charged a proxy: CPU time, memory, and connections it dropped for it."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from tests.support.process import descendants_of

_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class CpuTime:
    """CPU time used so far. ``total_ns`` is exact; user and system are sampled in 10 ms ticks."""

    total_ns: int
    user_s: float
    system_s: float

    def __sub__(self, earlier: Self) -> "CpuTime":
        return CpuTime(
            self.total_ns - earlier.total_ns,
            self.user_s - earlier.user_s,
            self.system_s - earlier.system_s,
        )


def process_tree(pid: int) -> list[int]:
    """Give a process and everything below it."""
    return [pid, *descendants_of(pid)]


def cpu_time(pids: Iterable[int]) -> CpuTime:
    """Add up the CPU time of all threads of some processes."""
    total_ns, user, system = 0, 0, 0
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").iterdir():
            total_ns += int((task / "schedstat").read_text(encoding="ascii").split()[0])
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
        words = fields.rpartition(")")[2].split()
        user, system = user + int(words[11]), system + int(words[12])
    return CpuTime(total_ns, user / _TICKS_PER_S, system / _TICKS_PER_S)


def pss_bytes(pids: Iterable[int]) -> int:
    """Add up the proportional set size of some processes: shared pages count once in the sum."""
    return sum(_mapped(pid, "Pss:") for pid in pids)


def rss_bytes(pids: Iterable[int]) -> int:
    """Add up the resident set size of some processes: shared pages count in each."""
    return sum(_mapped(pid, "Rss:") for pid in pids)


def _mapped(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024
    raise LookupError(f"process {pid} has no {name} line")


def open_files(pid: int) -> int:
    """Give how many descriptors a process has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def pipes_of(pid: int) -> int:
    """Give how many of them are ends of pipes."""
    found = 0
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found += os.readlink(entry).startswith("pipe:")
        except FileNotFoundError:
            continue
    return found


def wakeups_of(pid: int) -> int:
    """Give how often a process has gone to sleep of its own accord: timers show here."""
    text = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    line = next(line for line in text.splitlines() if line.startswith("voluntary_ctxt_switches"))
    return int(line.split()[1])


def listen_overflows() -> int:
    """Give how many connections this machine dropped so far because a listen queue was full."""
    lines = Path("/proc/net/netstat").read_text(encoding="ascii").splitlines()
    for names, values in zip(lines[::2], lines[1::2], strict=True):
        if names.startswith("TcpExt:"):
            return int(dict(zip(names.split(), values.split(), strict=True))["ListenOverflows"])
    raise LookupError("no TcpExt in /proc/net/netstat")
