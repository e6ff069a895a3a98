"""Ten thousand names on one socket: only blocks that are asked for cost a context."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509

from tests.integration.tls.stage import NAME, Block, daemon, issued
from tests.support.process import resident_bytes
from tests.support.proxycore import Proxycore
from tests.support.strangers import trusting
from tests.support.talk import Imap
from tests.support.wait import eventually

pytestmark = [pytest.mark.slow]

_BLOCKS = 500
"""More would leave the worker, from its start, so much free memory that contexts did not show."""
_NAMES_EACH = 20
_STRANGE = 300
_SPECIAL = "mail19.customer471.example.com"
_CONTEXT_BYTES = 12 * 1024
"""Less than any context has: these have 23 kB."""

_CLIENT = trusting()
_DEFAULT = Block("server_name default.example.com;")


@pytest.fixture(scope="module")
def proxy() -> Iterator[Proxycore]:
    named = [_block(i) for i in range(_BLOCKS)]

    def special(directory: Path) -> None:
        issued("ecdsa", _SPECIAL).write(directory, "special")

    with daemon([_DEFAULT, *named], before=special) as running:
        yield running


def _block(i: int) -> Block:
    names = [f"mail{j}.customer{i}.example.com" for j in range(_NAMES_EACH)]
    own = "ssl_certificate @DIR@/special.crt; ssl_certificate_key @DIR@/special.key;"
    settings = f"server_name {' '.join(names)}; {own if _SPECIAL in names else ''}"
    return Block(settings, "imap", _DEFAULT.implicit, _DEFAULT.starttls)


def served(name: str, *, starttls: bool = False) -> str:
    """Ask for a name; give whose certificate it is."""
    port = _DEFAULT.starttls if starttls else _DEFAULT.implicit
    with Imap(port, within_s=60) as client:
        if starttls:
            assert client.line().startswith("* OK")
            assert client.ask("a STARTTLS").startswith("a OK")
        octets = client.seal(_CLIENT, name).tls.getpeercert(binary_form=True)
        certificate = x509.load_der_x509_certificate(octets or b"")
        return certificate.subject.rfc4514_string().removeprefix("CN=")


def test_random_names_make_no_context_and_known_ones_their_own(proxy: Proxycore) -> None:
    (worker,) = proxy.workers()
    eventually(
        lambda: served("") == NAME, "it serves", within_s=60, tolerate=(OSError, ssl.SSLError)
    )
    for i in range(50):  # what a worker needs once
        served(f"warm{i}.example.org")
    before = resident_bytes(worker)
    for i in range(_STRANGE):
        assert served(f"stranger{i}.example.com", starttls=i % 2 == 0) == NAME
    strange_bytes = resident_bytes(worker) - before
    assert strange_bytes < _STRANGE * _CONTEXT_BYTES / 4
    for starttls in (False, True):
        assert served(_SPECIAL, starttls=starttls) == _SPECIAL
    before = resident_bytes(worker)
    for i in range(_STRANGE):
        assert served(f"mail3.customer{i}.example.com", starttls=i % 2 == 0) == NAME
    assert resident_bytes(worker) - before > _STRANGE * _CONTEXT_BYTES, "contexts are to be seen"
