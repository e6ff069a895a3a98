"""``openssl s_client`` as the judge of what a daemon's TLS is on the wire."""

import subprocess
from dataclasses import dataclass
from functools import cached_property

from tests.support.require import program

OLD = "ALL:@SECLEVEL=0"
"""Every cipher, for protocols older than TLS 1.2 as well."""

VERSIONS = {"TLSv1": "-tls1", "TLSv1.1": "-tls1_1", "TLSv1.2": "-tls1_2", "TLSv1.3": "-tls1_3"}

_WITHIN_S = 20
_LEAVE = {"imap": "z LOGOUT\r\n", "pop3": "QUIT\r\n", "smtp": "QUIT\r\n"}


@dataclass(frozen=True)
class Shown:
    """What s_client printed."""

    text: str

    def behind(self, key: str) -> str:
        """Give the rest of the first line that begins with ``key``; empty without."""
        for line in self.text.splitlines():
            if line.strip().startswith(key):
                return line.strip().removeprefix(key).strip()
        return ""

    @cached_property
    def _agreed(self) -> tuple[str, str]:
        for line in self.text.splitlines():
            if line.startswith(("New, ", "Reused, ")) and "(NONE)" not in line:
                _, protocol, cipher = line.split(", ", 2)
                return protocol, cipher.rpartition(" is ")[2]
        return "", ""

    @property
    def cipher(self) -> str:
        """The cipher agreed on; empty when there was no handshake."""
        return self._agreed[1]

    @property
    def protocol(self) -> str:
        """Such as ``TLSv1.2``; empty when there was no handshake."""
        # of a cipher that is older, the line of the cipher names the cipher's age
        return self.behind("Protocol  :") or self._agreed[0] if self.cipher else ""

    @property
    def resumed(self) -> bool:
        """The handshake resumed a session."""
        return "\nReused, " in self.text

    @property
    def subject(self) -> str:
        """Common name of the certificate; empty without."""
        return self.behind("subject=").replace(" ", "").removeprefix("CN=")

    @property
    def group(self) -> str:
        """What keys were exchanged with, such as ``X25519``, ``secp384r1`` or ``DH``."""
        words = self.behind("Server Temp Key:").split(", ")
        return words[1] if words[0] == "ECDH" else words[0]

    @property
    def alpn(self) -> str:
        """The application protocol agreed on; empty without."""
        return self.behind("ALPN protocol:")

    @property
    def ticket(self) -> bytes:
        """The session ticket of TLS 1.2; empty without."""
        _, _, rest = self.text.partition("TLS session ticket:\n")
        dump = [line.split(" - ", 1)[1][:48] for line in rest.splitlines() if line[8:11] == " - "]
        return bytes.fromhex("".join(dump).replace("-", " "))


@dataclass(frozen=True)
class Door:
    """One listener, and how it is spoken to."""

    protocol: str
    port: int
    starttls: bool

    def s_client(self, *options: str, say: str = "") -> Shown:
        """Shake hands, say something, log out, and wait for the proxy to close."""
        command = [program("openssl"), "s_client", "-connect", f"127.0.0.1:{self.port}", "-ign_eof"]
        if self.starttls:
            command += ["-starttls", self.protocol]
        done = subprocess.run(
            [*command, *options],
            input=(say + _LEAVE[self.protocol]).encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_WITHIN_S,
            check=False,
        )
        return Shown(done.stdout.decode("utf-8", "replace").replace("\r\n", "\n"))
