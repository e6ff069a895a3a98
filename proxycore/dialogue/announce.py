"""What a server block says of itself: greeting, capabilities, mechanisms.

Orders and forms are nginx's; mechanisms stand in the order of ``sasl.MECHANISMS`` wherever they
are listed.
"""

from collections.abc import Callable, Iterable
from typing import Final

from proxycore.contract.protocol import Protocol
from proxycore.contract.snapshot import Server
from proxycore.dialogue.sasl import announced


def configured(server: Server) -> tuple[str, ...]:
    """Give the ways to log in that are configured for the block's protocol."""
    return {
        Protocol.IMAP: server.imap_auth,
        Protocol.POP3: server.pop3_auth,
        Protocol.SMTP: server.smtp_auth,
    }[server.protocol]


def greeting(server: Server, name: bytes) -> bytes:
    """Give the greeting without line end."""
    if server.protocol is Protocol.SMTP:
        return b"220 %b ESMTP ready" % name
    if server.protocol is Protocol.IMAP:
        return b"* OK " + server.imap_greeting.encode()
    return b"+OK " + server.pop3_greeting.encode()


def capabilities(server: Server, name: bytes, starttls: str) -> bytes:
    """Give the whole answer to CAPABILITY, CAPA or EHLO.

    starttls: ``off``, ``on`` or ``only``, as it is where the client is; inside TLS always off.
    """
    return _CAPABILITIES[server.protocol](server, name, starttls)


def _imap_capabilities(server: Server, _name: bytes, starttls: str) -> bytes:
    words = [word.encode() for word in server.imap_capabilities]
    if starttls != "only":
        words += [b"AUTH=" + mechanism for mechanism in announced(server.imap_auth)]
    words += _IMAP_STARTTLS[starttls]
    return b" ".join([b"* CAPABILITY", *words]) + b"\r\n"


_IMAP_STARTTLS: Final[dict[str, list[bytes]]] = {
    "off": [],
    "on": [b"STARTTLS"],
    "only": [b"STARTTLS", b"LOGINDISABLED"],
}


def _pop3_capabilities(server: Server, _name: bytes, starttls: str) -> bytes:
    words = [word.encode() for word in server.pop3_capabilities]
    lines = [b"+OK Capability list follows"]
    if starttls == "only":
        lines += [word for word in words if word.upper() != b"USER"]
    else:
        lines += [*words, b" ".join([b"SASL", *_pop3_announced(server)])]
    if starttls != "off":
        lines.append(b"STLS")
    return b"\r\n".join([*lines, b".", b""])


def pop3_methods(server: Server) -> bytes:
    """Give the whole answer to an AUTH without argument."""
    lines = [b"+OK methods supported:", *_pop3_announced(server), b".", b""]
    return b"\r\n".join(lines)


def _pop3_announced(server: Server) -> list[bytes]:
    # POP3 has no `login` to configure: it comes with `plain`
    methods = server.pop3_auth
    return announced((*methods, "login") if "plain" in methods else methods)


def _smtp_capabilities(server: Server, name: bytes, starttls: str) -> bytes:
    lines = [name, *(word.encode() for word in server.smtp_capabilities)]
    if starttls != "only" and (mechanisms := announced(server.smtp_auth)):
        lines.append(b" ".join([b"AUTH", *mechanisms]))
    if starttls != "off":
        lines.append(b"STARTTLS")
    *first, last = lines
    return b"".join(b"250-%b\r\n" % line for line in first) + b"250 %b\r\n" % last


_CAPABILITIES: Final[dict[Protocol, Callable[[Server, bytes, str], bytes]]] = {
    Protocol.IMAP: _imap_capabilities,
    Protocol.POP3: _pop3_capabilities,
    Protocol.SMTP: _smtp_capabilities,
}


def imap_id(server: Server) -> bytes:
    """Give the untagged answer to ID (RFC 2971 §3.2)."""
    if not server.imap_id:
        return b"* ID NIL\r\n"
    words = [b'"%b"' % word.encode() for word in server.imap_id]
    if len(words) % 2:
        words.append(b"NIL")
    return b"* ID (%b)\r\n" % b" ".join(words)


_BEFORE_LOGIN: Final = frozenset({b"STARTTLS", b"LOGINDISABLED", b"SASL-IR"})


def lasting(words: Iterable[bytes]) -> frozenset[bytes]:
    """Give the IMAP capabilities among these that mean anything after login, in upper case."""
    kept = (word.upper() for word in words)
    return frozenset(
        word for word in kept if not word.startswith(b"AUTH=") and word not in _BEFORE_LOGIN
    )
