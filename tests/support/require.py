"""Real programs a test needs: skipped by name where one is missing, a failure in CI."""

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

_SYSTEM_PATHS = "/usr/local/sbin:/usr/sbin:/sbin"


def program(name: str) -> str:
    """Give the path of an installed program (a name, or an absolute path)."""
    path = f"{os.environ.get('PATH', '')}:{_SYSTEM_PATHS}"
    found = name if Path(name).is_file() else shutil.which(name, path=path)
    return found or missing(f"{name} is not installed")


def missing(what: str) -> NoReturn:
    """Skip the test saying what it misses; in CI (``CI=true``) that is a failure."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} (in CI every real part is required)", pytrace=False)
    pytest.skip(what)
