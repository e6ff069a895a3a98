"""The machine a figure belongs to, and which of its CPUs does what."""

import contextlib
import os
import platform
import re
import resource
import shutil
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from proxycore.daemon import compiled

REPOSITORY: Final = Path(__file__).resolve().parents[2]
_SYSTEM_PATHS: Final = "/usr/local/sbin:/usr/sbin:/sbin"


class Unfit(Exception):
    """This machine cannot run the benchmark; the message says what it lacks."""


def find_program(name: str, package: str) -> str:
    """Give the path of an installed program, or say which package brings it."""
    # Debian keeps PostgreSQL's own tools apart, by version
    versions = sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin")), reverse=True)
    found = shutil.which(
        name, path=":".join([os.environ.get("PATH", ""), _SYSTEM_PATHS, *versions])
    )
    if found is None:
        raise Unfit(f"{name} is not installed: apt-get install {package}")
    return found


def two_cpus() -> tuple[int, int]:
    """Choose the CPU for the proxy and the one for everything else."""
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < 2:
        raise Unfit("needs two CPUs: one for the proxy alone, one for everything else")
    return usable[0], usable[1]


@contextlib.contextmanager
def pinned_to(cpu: int) -> Iterator[None]:
    """Let processes started meanwhile run on one CPU only."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {cpu})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def raise_file_limit() -> int:
    """Use all file descriptors this process may have; give their number."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def facts() -> dict[str, object]:
    """Give what must stand beside every figure."""
    return {
        "cpu": _cpu_model(),
        "cpus": os.cpu_count(),
        "memory_mib": _memory_mib(),
        "kernel": platform.release(),
        "python": sys.version.split()[0],
        "python_build": " ".join(platform.python_build()),
        "openssl": ssl.OPENSSL_VERSION,
        "nginx": _nginx_version(),
        "dovecot": _dovecot_version(),
        "file_limit": resource.getrlimit(resource.RLIMIT_NOFILE)[1],
        "load_before": os.getloadavg()[0],
        "commit": _commit(),
        "compiled": compiled.home() == compiled.COMPILED,
    }


def _cpu_model() -> str:
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1] if found else platform.machine()


def _memory_mib() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20


def _nginx_version() -> str:
    nginx = find_program("nginx", "nginx libnginx-mod-mail")
    done = subprocess.run([nginx, "-v"], capture_output=True, text=True, check=True)
    return done.stderr.strip().rpartition("/")[2]


def _dovecot_version() -> str:
    dovecot = find_program("dovecot", "dovecot-imapd")
    done = subprocess.run([dovecot, "--version"], capture_output=True, text=True, check=True)
    return done.stdout.split()[0]


def _commit() -> str:
    """Name the commit measured; a proxycore that differs from it is marked."""
    git = ["git", "-C", str(REPOSITORY)]
    head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    if head.returncode != 0:
        return "unknown"
    changed = subprocess.run(
        [*git, "status", "--porcelain", "proxycore"], capture_output=True, text=True, check=False
    )
    return head.stdout.strip() + (" with changes" if changed.stdout.strip() else "")
