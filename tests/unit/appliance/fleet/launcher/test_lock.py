"""A state directory has one launcher."""

import os
import stat
from pathlib import Path

import pytest

from appliance.fleet.launcher.lock import AlreadyRunning, StateLock


def test_a_second_launcher_is_told_who_is_first(tmp_path: Path) -> None:
    def start_another() -> None:
        with StateLock(tmp_path):
            pass

    with StateLock(tmp_path), pytest.raises(AlreadyRunning, match=str(os.getpid())):
        start_another()
    with StateLock(tmp_path):
        assert stat.S_IMODE((tmp_path / "run.lock").stat().st_mode) == 0o600


def test_a_stale_file_is_no_lock(tmp_path: Path) -> None:
    (tmp_path / "run.lock").write_text("99999999999\n")
    with StateLock(tmp_path):
        assert (tmp_path / "run.lock").read_text() == f"{os.getpid()}\n"
