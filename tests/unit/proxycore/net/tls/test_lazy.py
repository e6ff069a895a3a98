"""A worker that speaks no TLS does not have OpenSSL in memory."""

import subprocess
import sys

_PLAIN = """
import sys
from tests.unit.proxycore.net.house import house
with house() as it:
    it.serve()
    it.login()
heavy = {"cffi", "_cffi_backend", "proxycore.net.tls.libssl"}
print(sorted(heavy & set(sys.modules)))
"""


def test_a_plain_worker_does_not_load_openssl() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PLAIN], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"
