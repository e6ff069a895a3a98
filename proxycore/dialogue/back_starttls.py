"""STARTTLS at the mail server: greeting, what it offers, the command, nothing behind its answer.

One of these is the whole dialogue in clear. It ends with ``Secure`` and is thrown away, inbox
included; the login is another dialogue's, which begins inside TLS and knows nothing that was said
before (RFC 3501 §6.2.1, RFC 2595 §4, RFC 3207 §4.2). So neither what was offered in clear nor
octets that were put behind an answer can reach it (CVE-2021-38371, CVE-2026-1642).

No credential comes near this module: whatever a mail server says here, it learns no login.
"""

from proxycore.contract.reasons import CloseReason
from proxycore.dialogue.doing import CONNECTING, SENDING_STARTTLS
from proxycore.dialogue.legs import Back
from proxycore.dialogue.shown import shown
from proxycore.dialogue.steps import SECURE, BackStep, Refused
from proxycore.wire.imap import greeted_capabilities
from proxycore.wire.smtp import parse_reply_line


class StartTlsBack(Back):
    """What the three protocols have in common."""

    __slots__ = ()

    @property
    def doing(self) -> str:
        """What the mail server is to answer to, as logs say it."""
        return SENDING_STARTTLS if self._command else CONNECTING

    def _ask(self, command: bytes) -> BackStep:
        """Send a command, unless the server has said something that nothing has asked for."""
        return self._refuse_excess() if len(self.inbox) else self._send(command)

    def _secure(self) -> BackStep:
        return self._refuse_excess() if len(self.inbox) else SECURE

    def _refuse_excess(self) -> Refused:
        return _unsecured("sent octets nobody had asked for before TLS began")

    def _not_offered(self) -> Refused:
        return _unsecured("does not offer STARTTLS")

    def _declined(self) -> Refused:
        return _unsecured(f'refused STARTTLS: "{shown(self._answer.rstrip())}"')


def _unsecured(what: str) -> Refused:
    message = f"upstream {what}, nothing is sent to it in clear"
    return Refused(CloseReason.BACKEND_NO_STARTTLS, b"", message)


class ImapStartTls(StartTlsBack):
    """Greeting, CAPABILITY if it did not tell them, STARTTLS."""

    __slots__ = ("_awaited", "_offers", "_tag")

    def __init__(self, limit_bytes: int, tag: bytes) -> None:
        """``tag``: the client's, which the login will have; ours are others."""
        super().__init__(limit_bytes)
        self._tag = tag
        self._awaited = b""
        """Tag of the answer waited for; empty: the greeting."""
        self._offers = False

    def _take(self, line: bytes) -> BackStep:
        if not self._awaited:
            return self._take_greeting(line)
        if line.startswith(b"* "):
            words = line.upper().split()
            if words[1:2] == [b"CAPABILITY"]:
                self._offers = b"STARTTLS" in words
            return self._refuse(rejected=True) if words[1:2] == [b"BYE"] else None
        tag, _, status = line.rstrip(b"\r\n").partition(b" ")
        if tag != self._awaited:
            return self._refuse(rejected=False)
        is_ok = status.upper().startswith(b"OK") and status[2:3] in (b"", b" ")
        if tag.startswith(b"s"):
            return self._secure() if is_ok else self._declined()
        return self._start() if is_ok and self._offers else self._not_offered()

    def _take_greeting(self, line: bytes) -> BackStep:
        words = line.upper().split(maxsplit=2)
        if words[:2] == [b"*", b"PREAUTH"]:
            # RFC 9051 §11.1: no STARTTLS can follow it, and somebody may have put it there
            return _unsecured("greeted with PREAUTH, which rules STARTTLS out")
        if words[:2] != [b"*", b"OK"]:
            return self._refuse(rejected=words[:2] == [b"*", b"BYE"])
        capabilities = [word.upper() for word in greeted_capabilities(line)]
        if not capabilities:
            self._awaited = b"c" + self._tag
            return self._ask(b"%b CAPABILITY\r\n" % self._awaited)
        return self._start() if b"STARTTLS" in capabilities else self._not_offered()

    def _start(self) -> BackStep:
        self._awaited = b"s" + self._tag
        return self._ask(b"%b STARTTLS\r\n" % self._awaited)


class Pop3StartTls(StartTlsBack):
    """Greeting, CAPA, STLS."""

    __slots__ = ("_offers", "_sent")

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(limit_bytes)
        self._sent = b""
        self._offers = False

    def _take(self, line: bytes) -> BackStep:
        if self._sent == b"CAPA" and self._answer != line:
            return self._take_capability(line)
        is_ok = line.startswith(b"+OK")
        if not is_ok and not line.startswith(b"-ERR"):
            return self._refuse(rejected=False)
        if not self._sent:
            return self._say(b"CAPA") if is_ok else self._refuse(rejected=True)
        if self._sent == b"CAPA":
            # a server without CAPA has no STLS (RFC 2595 §4)
            return None if is_ok else self._not_offered()
        return self._secure() if is_ok else self._declined()

    def _take_capability(self, line: bytes) -> BackStep:
        word = line.strip().upper()
        if word == b"STLS":
            self._offers = True
        if word != b".":
            return None
        return self._say(b"STLS") if self._offers else self._not_offered()

    def _say(self, verb: bytes) -> BackStep:
        self._sent = verb
        return self._ask(verb + b"\r\n")


class SmtpStartTls(StartTlsBack):
    """Banner, EHLO, STARTTLS."""

    __slots__ = ("_code", "_name", "_offers", "_sent")

    def __init__(self, limit_bytes: int, name: bytes) -> None:
        """``name``: ours."""
        super().__init__(limit_bytes)
        self._name = name
        self._sent = b""
        self._code = b"220"
        """What accepts what was sent last."""
        self._offers = False

    def _take(self, line: bytes) -> BackStep:
        reply = parse_reply_line(line.rstrip(b"\r\n"))
        if reply is None:
            return self._refuse(rejected=False)
        code, more = reply
        if self._sent == b"EHLO" and line[4:].split()[:1] != [] and self._answer != line:
            self._offers |= line[4:].split()[0].upper() == b"STARTTLS"
        if more:
            return None
        if code != self._code:
            return self._take_refusal(code)
        if not self._sent:
            self._sent, self._code = b"EHLO", b"250"
            return self._ask(b"EHLO %b\r\n" % self._name)
        if self._sent == b"EHLO":
            if not self._offers:
                return self._not_offered()
            self._sent, self._code = b"STARTTLS", b"220"
            return self._ask(b"STARTTLS\r\n")
        return self._secure()

    def _take_refusal(self, code: bytes) -> Refused:
        if not self._sent:
            return self._refuse(rejected=code[:1] in (b"4", b"5"))
        return self._not_offered() if self._sent == b"EHLO" else self._declined()
