"""Ask a mail server by logging in there, and leave again.

IMAP and SMTP by SASL PLAIN, which carries any octet but NUL; POP3 by USER and PASS. Only a plain
refusal counts as wrong: "in use", "unavailable" and every other trouble is not the user's fault.
"""

import base64
from collections.abc import Callable
from typing import Final

from appliance.credentials.verifiers.question import Answer, Question
from appliance.lib.line import Line
from appliance.routing import models
from appliance.routing.models import MailHost
from proxycore.contract.protocol import Protocol

_LINE_BREAKS: Final = (b"\r", b"\n", b"\x00")
_IMAP_TROUBLE: Final = (b"[UNAVAILABLE]", b"[INUSE]", b"[LIMIT]", b"[CONTACTADMIN]", b"[SERVERBUG]")
_POP3_TROUBLE: Final = (b"[SYS/", b"[IN-USE]", b"[LOGIN-DELAY]")
_SMTP_WRONG: Final = b"535"


class MailHostVerifier:
    """Logs in at a mail server; whether it lets us in is the answer."""

    def __init__(self, stored: models.Verifier) -> None:
        self._fixed = stored.mail_host
        self._protocol = Protocol(stored.protocol)
        self._timeout_ms = stored.timeout_ms

    def verify(self, question: Question) -> Answer:
        """Try the login."""
        login, password = question.request.login, question.request.password
        if self._fixed is None and question.back_login is not None:
            login = question.back_login
        if any(octet in login + password for octet in _LINE_BREAKS):
            return Answer.WRONG
        host = self._fixed or question.mail_host
        try:
            with Line(host.address, host.port(self._protocol), self._timeout_ms) as line:
                tls = _Tls(host, self._protocol)
                if tls.mode == "on":
                    line.start_tls(tls.name)
                return _TRY[self._protocol](line, tls, login, password)
        except OSError:
            return Answer.AWAY


class _Tls:
    """How the mail server has to prove itself."""

    def __init__(self, host: MailHost, protocol: Protocol) -> None:
        # which server block there will be is not known here: never in clear, unless told so
        self.mode = host.proxy_ssl(protocol) or "starttls"
        self.name = host.tls_name or host.address

    @property
    def is_due(self) -> bool:
        """Tell whether TLS has to be asked for."""
        return self.mode == "starttls"


def _plain(login: bytes, password: bytes) -> bytes:
    return base64.b64encode(b"\x00%b\x00%b" % (login, password))


def _imap(line: Line, tls: _Tls, login: bytes, password: bytes) -> Answer:
    if not line.line().upper().startswith(b"* OK"):
        return Answer.AWAY
    if tls.is_due:
        if not line.ask(b"s STARTTLS").upper().startswith(b"S OK"):
            return Answer.AWAY
        line.start_tls(tls.name)
    answer = line.ask(b"a AUTHENTICATE PLAIN")
    if answer.startswith(b"+"):
        answer = line.ask(_plain(login, password))
    else:
        return Answer.AWAY
    while answer.startswith(b"* "):
        answer = line.line()
    answer = answer.upper()
    if answer.startswith(b"A OK"):
        line.send(b"b LOGOUT\r\n")
        return Answer.RIGHT
    is_refusal = answer.startswith(b"A NO") and not any(code in answer for code in _IMAP_TROUBLE)
    return Answer.WRONG if is_refusal else Answer.AWAY


def _pop3(line: Line, tls: _Tls, login: bytes, password: bytes) -> Answer:
    if not line.line().startswith(b"+OK"):
        return Answer.AWAY
    if tls.is_due:
        if not line.ask(b"STLS").startswith(b"+OK"):
            return Answer.AWAY
        line.start_tls(tls.name)
    answer = line.ask(b"USER " + login)
    if answer.startswith(b"+OK"):
        answer = line.ask(b"PASS " + password)
        if answer.startswith(b"+OK"):
            line.send(b"QUIT\r\n")
            return Answer.RIGHT
    is_refusal = answer.startswith(b"-ERR") and not any(code in answer for code in _POP3_TROUBLE)
    return Answer.WRONG if is_refusal else Answer.AWAY


def _smtp(line: Line, tls: _Tls, login: bytes, password: bytes) -> Answer:
    if not _reply(line).startswith(b"220") or not _hello(line):
        return Answer.AWAY
    if tls.is_due:
        line.send(b"STARTTLS\r\n")
        if not _reply(line).startswith(b"220"):
            return Answer.AWAY
        line.start_tls(tls.name)
        if not _hello(line):
            return Answer.AWAY
    line.send(b"AUTH PLAIN " + _plain(login, password) + b"\r\n")
    answer = _reply(line)
    if answer.startswith(b"235"):
        line.send(b"QUIT\r\n")
        return Answer.RIGHT
    return Answer.WRONG if answer.startswith(_SMTP_WRONG) else Answer.AWAY


def _hello(line: Line) -> bool:
    line.send(b"EHLO localhost\r\n")
    return _reply(line).startswith(b"250")


def _reply(line: Line) -> bytes:
    """Read a reply of one or more lines and give its last one."""
    answer = line.line()
    while answer[3:4] == b"-":
        answer = line.line()
    return answer


_TRY: Final[dict[Protocol, Callable[[Line, _Tls, bytes, bytes], Answer]]] = {
    Protocol.IMAP: _imap,
    Protocol.POP3: _pop3,
    Protocol.SMTP: _smtp,
}
