"""TLS clients that look at nothing: for tests of what a proxy says, not of who it is."""

import ssl
from pathlib import Path

from tests.support.pki import Pair


def trusting(
    *,
    version: ssl.TLSVersion | None = None,
    ciphers: str = "",
    alpn: str = "",
    identity: tuple[Pair, Path] | None = None,
) -> ssl.SSLContext:
    """Make a client that takes any certificate.

    version: the only one it speaks. identity: its own certificate, and where to write it.
    """
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if version is not None:
        context.minimum_version = context.maximum_version = version
    if ciphers:
        context.set_ciphers(ciphers)
    if alpn:
        context.set_alpn_protocols([alpn])
    if identity is not None:
        pair, directory = identity
        context.load_cert_chain(*pair.write(directory, f"client{pair.certificate.serial_number}"))
    return context
