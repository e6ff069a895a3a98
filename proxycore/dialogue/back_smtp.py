"""SMTP login at the mail server: EHLO, XCLIENT, the client's own HELO, AUTH, or MAIL and RCPT.

Every command is sent when the one before it was accepted; multi-line replies are taken whole.
XCLIENT is sent as configured, whatever the server says of it. The mechanism of AUTH is chosen from
what the server offered, in the last reply that says anything of AUTH; without any such (nor can
there be one to HELO) it is what nginx sends, PLAIN.
"""

from typing import Final

from proxycore.contract.reasons import CloseReason
from proxycore.dialogue import replies
from proxycore.dialogue.credential import DUMMIES, Credential
from proxycore.dialogue.legs import LoginBack
from proxycore.dialogue.profile import Facts, Profile
from proxycore.dialogue.steps import BackStep, Envelope, LoggedIn, Refused
from proxycore.wire import sasl, xtext
from proxycore.wire.smtp import continued_lines, offered_mechanisms, parse_reply_line

_BANNER: Final = frozenset({b"220"})
_HELLO: Final = frozenset({b"250"})
_XCLIENT: Final = frozenset({b"220", b"250"})
_MAIL: Final = frozenset({b"250"})
_RCPT: Final[frozenset[bytes]] = frozenset()
"""Whatever is said to RCPT is the client's to hear; the session goes on with it."""
_GO_AHEAD: Final = frozenset({b"334"})
_AUTH: Final = frozenset({b"235"})

MAX_XCLIENT_VALUE_BYTES: Final = 255
"""Of an attribute value as it is sent, xtext and all (Postfix's XCLIENT_README; what is longer it
answers with 501, measured with 3.7). The whole command may pass SMTP's 512 octets: Postfix takes
2048. It cannot be split: once ADDR is another's, a further one needs that one's authority."""

_UNAVAILABLE: Final = b"[UNAVAILABLE]"

Script = list[tuple[bytes, frozenset[bytes]]]
"""Commands, each with the codes that accept it; none: all do."""


class SmtpBack(LoginBack):
    """Banner, then a script of commands. The client sees our own 235, or the answer to RCPT."""

    __slots__ = ("_accepted", "_credential", "_dummy", "_envelope", "_offer", "_unsent")

    def __init__(
        self, limit_bytes: int, script: Script, credential: Credential, envelope: Script
    ) -> None:
        """``envelope``: what follows a login, or is sent without one; mostly empty."""
        LoginBack.__init__(self, limit_bytes)
        self._unsent = script[::-1]
        self._accepted = _BANNER
        self._envelope = envelope
        self._credential: Credential | None = credential if credential.authenticates else None
        """What is still to be authenticated with."""
        self._offer: list[bytes] | None = None
        """Mechanisms the server offers; None: it did not say."""
        self._dummy = b""

    def begin(self) -> BackStep:
        """Say EHLO without a banner."""
        return self._go_on()

    def read(self) -> BackStep:
        """Give the next step: a command to send, the outcome, or None (more octets needed)."""
        # an answer to EHLO has ten lines, and most logins need none of them: all at once
        if self._credential is None and self.inbox.waiting[3:4] == b"-":
            lines = continued_lines(self.inbox.peek(self._limit_bytes))
            self._answer += lines
            self.inbox.take(len(lines))
        return LoginBack.read(self)

    def _take(self, line: bytes) -> BackStep:
        reply = parse_reply_line(line.rstrip(b"\r\n"))
        if reply is None:
            return self._refuse(rejected=False)
        code, more = reply
        if self._credential is not None and code == b"250":
            offer = offered_mechanisms(line)
            self._offer = self._offer if offer is None else offer
        if more:
            return None
        if code not in self._accepted and self._accepted:
            return self._take_refusal(code)
        return self._go_on()

    def _take_refusal(self, code: bytes) -> BackStep:
        if code == b"334" and self._dummy:
            dummy, self._dummy = self._dummy, b""
            return self._send(dummy)
        return self._refuse(rejected=code[:1] in (b"4", b"5"))

    def _go_on(self) -> BackStep:
        if not self._unsent and self._credential is not None:
            credential, self._credential = self._credential, None
            script = _login(credential, self._offer)
            if not script:
                return _no_mechanism(self._offer or [])
            self._dummy = DUMMIES.get(credential.mechanism, b"")
            self._unsent = script[::-1]
        if not self._unsent and self._envelope:
            self._unsent, self._envelope = self._envelope[::-1], []
        if self._unsent:
            command, self._accepted = self._unsent.pop()
            return self._send(command)
        # only RCPT accepts everything, and its answer is the client's
        answer = replies.SMTP_AUTHENTICATED if self._accepted else self._answer
        return LoggedIn(answer + self.inbox.take_all())


def _no_mechanism(offer: list[bytes]) -> Refused:
    shown = b" ".join(offer).decode("latin-1")
    return Refused(
        CloseReason.BACKEND_REJECTED, b"", f'upstream offers no mechanism we can use: "{shown}"'
    )


def _login(credential: Credential, offer: list[bytes] | None) -> Script:
    """Give the commands of the best mechanism that is offered; none when none is.

    A token is never sent as a password, nor a password by a mechanism that is not offered.
    """
    mechanisms: tuple[bytes, ...] = (b"PLAIN", b"LOGIN")
    if credential.master:
        mechanisms = (b"PLAIN",)
    elif credential.mechanism:
        # the one the client used first; both carry the same
        mechanisms = (credential.mechanism, *(DUMMIES.keys() - {credential.mechanism}))
    for mechanism in mechanisms:
        if offer is None or mechanism in offer:
            return _commands(credential, mechanism)
    return []


def _commands(credential: Credential, mechanism: bytes) -> Script:
    if mechanism != b"LOGIN":
        response = credential.response(mechanism)
        return [(b"AUTH %b %b\r\n" % (mechanism, response), _AUTH)]
    return [
        (b"AUTH LOGIN\r\n", _GO_AHEAD),
        (sasl.encode_base64(credential.login) + b"\r\n", _GO_AHEAD),
        (sasl.encode_base64(credential.password) + b"\r\n", _AUTH),
    ]


def introduction(
    profile: Profile, facts: Facts, hello: tuple[bytes, bytes], credential: Credential
) -> Script:
    """Give the commands that say who we are and who the client is.

    hello: the verb the session is to use towards the server, and the client's own name, which is
    empty when it gave none.
    """
    verb, client_name = hello
    if not profile.xclient:
        return [(b"%b %b\r\n" % (verb, profile.name), _HELLO)]
    script: Script = [(b"EHLO %b\r\n" % profile.name, _HELLO)]
    login = b"" if credential.authenticates else credential.login
    if profile.xclient_legacy:
        script.append((legacy_xclient(facts, hello, login), _XCLIENT))
        return script
    script.append((xclient(facts.client_ip, login, facts.client_host), _XCLIENT))
    if client_name:
        script.append((b"%b %b\r\n" % (verb, client_name), _HELLO))
    return script


def envelope(submitted: Envelope | None) -> Script:
    """Give the client's own MAIL and RCPT, where it was let in by them."""
    if submitted is None:
        return []
    return [(submitted.mail + b"\r\n", _MAIL), (submitted.rcpt + b"\r\n", _RCPT)]


def is_nameable(login: bytes) -> bool:
    """Tell whether XCLIENT can name a login."""
    # at worst each octet takes three
    return (
        len(login) * 3 <= MAX_XCLIENT_VALUE_BYTES
        or len(xtext.encode(login)) <= MAX_XCLIENT_VALUE_BYTES
    )


def xclient(client_ip: str, login: bytes, client_host: str) -> bytes:
    """Give the XCLIENT command. Every value is xtext, so none can add an attribute or a line.

    Source: Postfix's XCLIENT_README; nginx's form since 0.7.34.
    """
    shown = b" LOGIN=" + xtext.encode(login) if login else b""
    return b"XCLIENT ADDR=%b%b NAME=%b\r\n" % (_address(client_ip), shown, _name(client_host))


def legacy_xclient(facts: Facts, hello: tuple[bytes, bytes], login: bytes) -> bytes:
    """Give the XCLIENT command as nginx sent it before 0.7.34, but with xtext as above."""
    verb, client_name = hello
    encoded = xtext.encode(client_name)
    if len(encoded) > MAX_XCLIENT_VALUE_BYTES:
        encoded = _UNAVAILABLE
    helo = b" HELO=" + encoded if encoded else b""
    shown = b" LOGIN=" + xtext.encode(login) if login else b""
    return b"XCLIENT PROTO=%b%b ADDR=%b%b NAME=%b\r\n" % (
        b"ESMTP" if verb == b"EHLO" else b"SMTP",
        helo,
        _address(facts.client_ip),
        shown,
        _name(facts.client_host),
    )


def _address(client_ip: str) -> bytes:
    if client_ip.startswith("unix:"):
        return _UNAVAILABLE
    text = xtext.encode(client_ip.encode("ascii", "replace"))
    return b"IPV6:" + text if ":" in client_ip else text


def _name(client_host: str) -> bytes:
    return xtext.encode(client_host.encode("ascii", "replace")) or _UNAVAILABLE
