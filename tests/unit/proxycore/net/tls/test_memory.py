"""What connections cost, printed (``-s``): measured in a process of its own, not asserted."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[5]
COUNT = 2_000


@pytest.mark.parametrize("kind", ["silent", "half open", "front", "back"])
def test_memory_of_connections_is_told(kind: str) -> None:
    command = [sys.executable, "-m", "tests.unit.proxycore.net.tls.weigh", kind, str(COUNT)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    print(f"\n{done.stdout}")
