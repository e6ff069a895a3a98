"""What we log in with at a mail server."""

from collections.abc import Mapping
from typing import Final, final

from proxycore.wire import sasl

TOKEN_MECHANISMS: Final[Mapping[str, bytes]] = {
    "xoauth2": b"XOAUTH2",
    "oauthbearer": b"OAUTHBEARER",
}
"""Auth-Methods whose Auth-Pass is a bearer token, and the mechanism that carries one."""

REPLAYED: Final[Mapping[str, bytes]] = {"plain": b"", **TOKEN_MECHANISMS}
"""Methods whose secret is as good at the mail server as it was here, with the mechanism to use
there. What the other methods submit (a digest, nothing) is worth nothing to anybody else."""

DUMMIES: Final[Mapping[bytes, bytes]] = {b"XOAUTH2": b"\r\n", b"OAUTHBEARER": b"AQ==\r\n"}
"""What a client says to the explanation of a failure, before it hears the failure (RFC 7628
§3.2.3)."""


@final
class Credential:
    """A login and its secret."""

    __slots__ = ("authenticates", "login", "master", "mechanism", "password")

    def __init__(
        self,
        login: bytes,
        password: bytes,
        mechanism: bytes = b"",
        master: bytes = b"",
        authenticates: bool = False,
    ) -> None:
        self.login = login
        self.password = password
        self.mechanism = mechanism
        """Token mechanism that ``password`` is a token of; empty: it is a password."""
        self.master = master
        """Who logs in on behalf of the login, and whose password it is; empty: the login."""
        self.authenticates = authenticates
        """SMTP: the mail server is to see it at all."""

    def __repr__(self) -> str:
        return f"Credential({self.login!r}, {self.mechanism!r})"

    def response(self, mechanism: bytes) -> bytes:
        """Give the encoded response of a mechanism that takes everything at once."""
        if mechanism == b"XOAUTH2":
            return sasl.xoauth2(self.login, self.password)
        if mechanism == b"OAUTHBEARER":
            return sasl.oauthbearer(self.login, self.password)
        return sasl.plain(self.login, self.password, self.master)

    def secrets(self) -> list[bytes]:
        """Give all forms in which the secret may have been sent to the mail server."""
        if not self.password:
            return []
        # the longest first: each holds the next, more or less
        encoded = sasl.encode_base64(self.password)
        return [self.response(self.mechanism), encoded, self.password]
