"""A client with TLS that looks at what a daemon serves, and resumes its sessions."""

import contextlib
import socket
import ssl
from collections.abc import Iterator

from tests.support.pki import Pair


class Client:
    """A client that trusts anybody; ``context`` keeps what sessions belong to."""

    def __init__(self, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.context.check_hostname = False
        self.context.verify_mode = ssl.CERT_NONE
        self.context.minimum_version = self.context.maximum_version = version

    @contextlib.contextmanager
    def connected(
        self, port: int, session: ssl.SSLSession | None = None
    ) -> Iterator[ssl.SSLSocket]:
        with (
            socket.create_connection(("127.0.0.1", port), 5) as plain,
            self.context.wrap_socket(plain, session=session) as sock,
        ):
            # a ticket of TLS 1.3 comes with the first octets
            assert sock.recv(100).startswith(b"* OK")
            yield sock

    def session(self, port: int) -> ssl.SSLSession:
        with self.connected(port) as sock:
            assert not sock.session_reused
            assert sock.session is not None
            return sock.session

    def resumes(self, port: int, session: ssl.SSLSession) -> bool:
        with self.connected(port, session) as sock:
            return bool(sock.session_reused)

    def certificate(self, port: int) -> bytes:
        with self.connected(port) as sock:
            return sock.getpeercert(binary_form=True) or b""


def serves(port: int, pair: Pair) -> bool:
    with contextlib.suppress(OSError):
        return Client().certificate(port) == ssl.PEM_cert_to_DER_cert(pair.pem)
    return False
