"""An operator's own program: how it is called, and what is said when it does not do it."""

from pathlib import Path
from typing import Any

import pytest

from appliance.acme.models import DnsSolver
from appliance.acme.solvers import SolverError, build
from appliance.acme.solvers.hook import HookSolver, programs
from tests.support.wait import eventually

NAME = "_acme-challenge.mail.example.test"


@pytest.fixture
def directory(tmp_path: Path, settings: Any) -> Path:
    settings.ACME_HOOK_DIR = str(tmp_path)
    tmp_path.chmod(0o755)
    return tmp_path


def program(directory: Path, script: str, mode: int = 0o755) -> HookSolver:
    file = directory / "hook"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(mode)
    return solver()


def solver(**more: Any) -> HookSolver:
    made = build(DnsSolver(**{"kind": "hook", "program": "hook", "timeout_s": 5, **more}))
    assert isinstance(made, HookSolver)
    return made


def test_it_is_called_with_what_to_do_and_nothing_else(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSTROAD_DATABASE_URL", "postgresql://u:s3cr3t@db/")
    hook = program(directory, f'printf "%s\\n" "$@" >> {directory}/said; env > {directory}/env')
    hook.present(NAME, "va$(lue)")
    hook.cleanup(NAME, "va$(lue)")
    said = (directory / "said").read_text().split()
    assert said == ["present", NAME, "va$(lue)", "cleanup", NAME, "va$(lue)"]
    environment = (directory / "env").read_text()
    assert "POSTROAD" not in environment
    assert "PATH=" in environment
    assert programs() == ["hook"]


def test_its_last_words_are_shown(directory: Path) -> None:
    script = "head -c 100000 /dev/zero | tr '\\0' x; printf '\\033[31mno such zone'; exit 3"
    with pytest.raises(
        SolverError, match=r"hook present .* ended with 3: x+ \[31mno such zone$"
    ) as e:
        program(directory, script).present(NAME, "value")
    assert len(str(e.value)) < 700


def test_one_that_takes_too_long_is_ended_with_what_it_started(directory: Path) -> None:
    hook = program(directory, f"sleep 600 & echo $! > {directory}/pid; wait")
    hook._timeout_s = 1
    with pytest.raises(SolverError, match="did not end in time"):
        hook.present(NAME, "value")
    pid = int((directory / "pid").read_text())
    eventually(lambda: not _runs(pid), "the program's child is gone")


def _runs(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("name", ["../hook", "/bin/true", "", "absent"])
def test_only_files_of_the_directory_are_run(directory: Path, name: str) -> None:
    program(directory, "exit 0")
    with pytest.raises(SolverError):
        solver(program=name).present(NAME, "value")


@pytest.mark.parametrize("mode", [0o644, 0o757])
def test_what_anybody_may_write_or_nobody_execute_is_not_run(directory: Path, mode: int) -> None:
    with pytest.raises(SolverError, match=r"executed|written by anybody"):
        program(directory, "exit 0", mode).present(NAME, "value")
    assert programs() == []


def test_without_a_directory_nothing_is_run(settings: Any) -> None:
    settings.ACME_HOOK_DIR = ""
    with pytest.raises(SolverError, match="POSTROAD_ACME_HOOK_DIR"):
        solver().present(NAME, "value")
    assert programs() == []
