"""OpenSSL called by the C module that ``make compile`` makes does what it does by libffi."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from proxycore.daemon import compiling
from proxycore.net.tls import libssl

_LOGINS = """
import ssl
from proxycore.net.tls import libssl
from tests.unit.proxycore.net.tls.client import Client, client_context
from tests.unit.proxycore.net.tls.ends import AUTHORITY, back_context, front_context, front_end
from tests.unit.proxycore.net.tls.ends import joined
from proxycore.net.tls.tickets import TicketKeys, derived_keys

assert libssl.ffi is libssl._openssl.ffi
authority = "data:" + AUTHORITY.pem
context = front_context(ssl_verify_client="optional", ssl_client_certificate=authority)
context.renew_tickets(TicketKeys(derived_keys(b"secret", 7)))
ours = client_context(alpn=["imap"])
first, front = Client(context=ours), front_end(context)
first.join(front)
first.hear(front, b"* OK ready\\r\\n")
second, front = Client(context=ours, session=first.tls.session), front_end(context)
second.join(front)
print(front.facts.protocol, front.facts.alpn, front.facts.resumed, front.facts.verify)
front, back = joined(front_context(), back_context())
print(front.feed(back.write(b"x" * 70_000)) == b"x" * 70_000, back.facts.cipher)
"""


def test_the_compiled_calls_shake_hands_resume_and_carry(tmp_path: Path) -> None:
    shutil.copytree(compiling.SOURCES / "proxycore", tmp_path / "proxycore")
    compiling.build_openssl(tmp_path)
    made = list(tmp_path.rglob("_openssl*"))
    assert [path.parent for path in made] == [tmp_path / "proxycore" / "net" / "tls"]
    done = subprocess.run(
        [sys.executable, "-c", _LOGINS],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{compiling.SOURCES}"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "TLSv1.3 imap True NONE",
        "True TLS_AES_256_GCM_SHA384",
    ]


def test_the_sources_need_nothing_compiled() -> None:
    assert not hasattr(libssl, "_openssl")
