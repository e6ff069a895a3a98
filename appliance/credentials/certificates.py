"""Who a client certificate is for: EXTERNAL's identity comes from TLS, not from what is claimed.

The proxy verifies the certificate and tells the result (Auth-SSL-Verify) and the subject in RFC
2253 form. A rule says which attribute of the subject holds the login.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_ATTRIBUTE: Final = re.compile(
    r"(?P<name>[A-Za-z][A-Za-z0-9.-]*|\d+(?:\.\d+)*)=(?P<value>(?:\\.|[^\\,+])*)(?:[,+]|$)",
    re.DOTALL,
)
_ESCAPED: Final = re.compile(rb"\\([0-9A-Fa-f]{2}|.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """What the proxy says of the client's certificate."""

    verified: bool
    subject: str

    @classmethod
    def read(cls, headers: Mapping[str, bytes]) -> "ClientCertificate":
        """Read it from the headers of a request (lower-case names)."""
        return cls(
            # without TLS nobody can have verified anything
            verified=headers.get("auth-ssl") == b"on"
            and headers.get("auth-ssl-verify") == b"SUCCESS",
            subject=headers.get("auth-ssl-subject", b"").decode("utf-8", "replace"),
        )

    def logins(self, attribute: str) -> list[str]:
        """Give the values of an attribute of the subject: ``CN``, ``emailAddress``, ``UID``.

        A certificate that was not verified has none, nor has a subject that cannot be read.
        """
        if not self.verified:
            return []
        wanted, found, at = attribute.lower(), [], 0
        while at < len(self.subject):
            part = _ATTRIBUTE.match(self.subject, at)
            if part is None:
                return []
            if part["name"].lower() == wanted:
                found.append(_plain(part["value"]))
            at = part.end()
        return found


def _plain(value: str) -> str:
    """Undo the escapes of RFC 2253 §2.4."""

    def undo(found: "re.Match[bytes]") -> bytes:
        escaped = found[1]
        return bytes.fromhex(escaped.decode()) if len(escaped) == 2 else escaped

    return _ESCAPED.sub(undo, value.encode()).decode("utf-8", "replace")
