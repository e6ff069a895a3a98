"""Why a mail server is not believed, in words: the same in a node's log and on admin pages."""

from typing import Final, NamedTuple

NOT_PINNED: Final = 50
"""X509_V_ERR_APPLICATION_VERIFICATION: pins are an application's own rule."""

_UNTRUSTED: Final = (
    "{who} is from an authority that is not trusted here, or its chain is incomplete"
)
_SELF_SIGNED: Final = "{who} is self-signed and not trusted here"
_WRONG_NAME: Final = 'the certificate is not for "{name}" but for {names}'

_EXPLAINED: Final[dict[int, str]] = {
    2: _UNTRUSTED,
    3: "there is no revocation list that {who} could be looked up in",
    9: "{who} is valid from {since} only",
    10: "{who} expired on {until}",
    12: "the revocation list that {who} is looked up in is out of date",
    18: _SELF_SIGNED,
    19: _SELF_SIGNED,
    20: _UNTRUSTED,
    21: _UNTRUSTED,
    22: "the chain from {who} is longer than proxy_ssl_verify_depth",
    23: "{who} is revoked",
    27: _UNTRUSTED,
    NOT_PINNED: "the key in {who} is not pinned; it is {pin}",
    62: _WRONG_NAME,
    64: _WRONG_NAME,
}
"""By OpenSSL's number (x509_vfy.h), what an operator can do something about."""

HINTS: Final = {
    "wrong version number": "it answers in clear: does this port want proxy_ssl starttls?",
    "unsupported protocol": "it speaks none of proxy_ssl_protocols",
    "tlsv1 alert protocol version": "it speaks none of proxy_ssl_protocols",
    "sslv3 alert handshake failure": "it accepts no protocol, cipher or certificate of ours",
    "tlsv13 alert certificate required": "it wants a certificate: proxy_ssl_certificate",
}
"""By OpenSSL's words for a handshake that failed: what an operator may look at."""


class Shown(NamedTuple):
    """What a certificate that is not believed says of itself."""

    subject: str
    since: str
    until: str
    names: str
    """For instance ``DNS:a.example, DNS:b.example``."""
    pin: str
    """As ``proxy_ssl_pins`` has it."""


def explained(code: int, words: str, shown: Shown, name: str) -> str:
    """Say what is wrong with a mail server's certificate, and what the operator may look at.

    code: OpenSSL's number; words: what OpenSSL says; name: what it had to be for.
    """
    return _EXPLAINED.get(code, "{who} was not accepted ({code}: {words})").format(
        who=f'the certificate of "{shown.subject}"',
        since=shown.since,
        until=shown.until,
        name=name,
        names=shown.names,
        pin=shown.pin,
        code=code,
        words=words,
    )
