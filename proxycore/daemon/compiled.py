"""The data plane translated to C: where it is, and whether it is of these sources (ADR-0036).

``make compile`` writes a copy of ``proxycore`` with extension modules in it. A worker runs from
there as long as the copy was made of exactly the sources beside it and for this interpreter;
otherwise, and without any, it runs the sources themselves, which do the same.
"""

import hashlib
import os
import sysconfig
from functools import lru_cache
from pathlib import Path
from typing import Final

import proxycore

SOURCES: Final = Path(proxycore.__file__).parents[1]
COMPILED: Final = SOURCES / ".compiled"
STAMP: Final = "made-of"
"""File in it: ``fingerprint`` of what it was made of."""

PURE: Final = "PROXYCORE_PURE"
"""Environment variable: if set to anything, workers run the sources."""


def fingerprint(root: Path) -> str:
    """Tell the sources below ``root``, and this interpreter, from any others."""
    digest = hashlib.sha256(str(sysconfig.get_config_var("SOABI")).encode())
    for file in sorted((root / "proxycore").rglob("*.py")):
        octets = file.read_bytes()
        digest.update(b"\0%b\0%d\0" % (os.fsencode(file.relative_to(root)), len(octets)))
        digest.update(octets)
    return digest.hexdigest()


@lru_cache(maxsize=1)
def home() -> Path:
    """Give the directory a worker is to import ``proxycore`` from."""
    if os.environ.get(PURE):
        return SOURCES
    try:
        made_of = (COMPILED / STAMP).read_text(encoding="ascii")
        return COMPILED if made_of == fingerprint(SOURCES) else SOURCES
    except OSError:
        return SOURCES


def search_path() -> str:
    """Give PYTHONPATH for a worker.

    What is in ours stays, but for the sources: named there, they would be found before the copy.
    """
    named = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    others = [path for path in named if path and Path(path) != SOURCES]
    return os.pathsep.join([*others, str(home())])
