"""What is under ``deploy`` runs what ``manage.py run`` runs, with the same arguments."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from appliance.fleet.launcher import programs
from tests.checks.tree import ROOT
from tests.support import require

DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
_PYTHON = "/opt/postroad/.venv/bin/python"
_OWN = {"-b", "-p", "--control", "--state-dir", "--token-file"}
"""Options whose values are a host's own."""


def _comparable(words: list[str]) -> list[str]:
    said, skips = [], False
    for word in words:
        if not skips:
            said.append(word)
        skips = word in _OWN
    return said


PROGRAMS = {
    one.name: _comparable([*one.arguments])
    for one in programs.all_programs(Path("/state"), Path("/state/token"))
}


@pytest.mark.parametrize("name", sorted(PROGRAMS))
def test_a_unit_runs_each_program(name: str) -> None:
    text = (DEPLOY / "systemd" / f"postroad-{name}.service").read_text()
    (line,) = re.findall(r"^ExecStart=(.*)$", text, re.MULTILINE)
    python, *words = shlex.split(line)
    assert python == _PYTHON
    assert _comparable(words) == PROGRAMS[name]


@pytest.mark.parametrize("name", sorted(PROGRAMS))
def test_a_container_runs_each_program(name: str) -> None:
    text = (DEPLOY / "compose.yaml").read_text()
    found = re.search(
        rf"^  {name}:\n(?:    .*\n)*?    command: \[((?:[^\]])*)\]", text, re.MULTILINE
    )
    assert found, f"no service {name}"
    python, *words = [word.strip().strip('"') for word in found[1].replace("\n", " ").split(",")]
    assert python == "python"
    assert _comparable(words) == PROGRAMS[name]


def test_systemd_understands_the_units(tmp_path: Path) -> None:
    program = require.program("systemd-analyze")
    for unit in UNITS:
        text = unit.read_text().replace(_PYTHON, sys.executable).replace("/opt/postroad", str(ROOT))
        (tmp_path / unit.name).write_text(text)
    units = [str(tmp_path / unit.name) for unit in UNITS]
    told = subprocess.run([program, "verify", *units], capture_output=True, text=True, check=False)
    ours = [line for line in told.stderr.splitlines() if "postroad" in line]
    assert (told.returncode, ours) == (0, [])
