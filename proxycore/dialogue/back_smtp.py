"""SMTP login at the mail server: EHLO, XCLIENT, the client's own HELO, AUTH PLAIN.

Every command is sent when the one before it was accepted; multi-line replies are taken whole. The
server's capabilities are not examined, as in nginx: an operator says `xclient off` instead.
"""

from typing import Final

from proxycore.dialogue import replies
from proxycore.dialogue.legs import Back
from proxycore.dialogue.profile import Facts, Profile
from proxycore.dialogue.steps import BackStep, LoggedIn
from proxycore.wire import sasl, xtext
from proxycore.wire.smtp import parse_reply_line

_BANNER: Final = frozenset({b"220"})
_HELLO: Final = frozenset({b"250"})
_XCLIENT: Final = frozenset({b"220", b"250"})
_AUTH: Final = frozenset({b"235"})

Script = list[tuple[bytes, frozenset[bytes]]]
"""Commands, each with the codes that accept it."""


class SmtpBack(Back):
    """Banner, then a script of commands; what the client sees of it is our own 235."""

    __slots__ = ("_accepted", "_unsent")

    def __init__(self, limit_bytes: int, script: Script) -> None:
        super().__init__(limit_bytes)
        self._unsent = script[::-1]
        self._accepted = _BANNER

    def _take(self, line: bytes) -> BackStep:
        reply = parse_reply_line(line.rstrip(b"\r\n"))
        if reply is None:
            return self._refuse(rejected=False)
        code, more = reply
        if more:
            return None
        if code not in self._accepted:
            return self._refuse(rejected=code[:1] in (b"4", b"5"))
        if self._unsent:
            command, self._accepted = self._unsent.pop()
            return self._send(command)
        return LoggedIn(replies.SMTP_AUTHENTICATED + self._inbox.take_all())


def login_script(
    profile: Profile, facts: Facts, hello: tuple[bytes, bytes], login: bytes, password: bytes
) -> Script:
    """Give the commands that introduce an authenticated client.

    hello: the verb the session is to use towards the server, and the client's own name, which is
    empty when it gave none.
    """
    verb, client_name = hello
    first = b"EHLO" if profile.xclient else verb
    script: Script = [(b"%b %b\r\n" % (first, profile.name), _HELLO)]
    if profile.xclient:
        shown_login = b"" if profile.proxy_smtp_auth else login
        script.append((xclient(facts.client_ip, shown_login, facts.client_host), _XCLIENT))
        if client_name:
            script.append((b"%b %b\r\n" % (verb, client_name), _HELLO))
    if profile.proxy_smtp_auth:
        script.append((b"AUTH PLAIN %b\r\n" % sasl.plain(login, password), _AUTH))
    return script


def xclient(client_ip: str, login: bytes, client_host: str) -> bytes:
    """Give the XCLIENT command. Every value is xtext, so none can add an attribute or a line.

    Source: Postfix's XCLIENT_README; nginx's form since 0.7.34.
    """
    if client_ip.startswith("unix:"):
        address = b"[UNAVAILABLE]"
    else:
        address = (b"IPV6:" if ":" in client_ip else b"") + xtext.encode(
            client_ip.encode("ascii", "replace")
        )
    shown = b" LOGIN=" + xtext.encode(login) if login else b""
    name = xtext.encode(client_host.encode("ascii", "replace")) or b"[UNAVAILABLE]"
    return b"XCLIENT ADDR=%b%b NAME=%b\r\n" % (address, shown, name)
