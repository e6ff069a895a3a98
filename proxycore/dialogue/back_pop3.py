"""POP3 login at the mail server: USER and PASS, whatever the client used."""

from proxycore.dialogue.legs import Back
from proxycore.dialogue.steps import BackStep, LoggedIn


class Pop3Back(Back):
    """Greeting, USER, PASS; the answer to PASS goes to the client unchanged."""

    __slots__ = ("_unsent",)

    def __init__(self, limit_bytes: int, login: bytes, password: bytes) -> None:
        super().__init__(limit_bytes)
        # in the order of pop()
        self._unsent = [b"PASS %b\r\n" % password, b"USER %b\r\n" % login]

    def _take(self, line: bytes) -> BackStep:
        if not line.startswith(b"+OK"):
            return self._refuse(rejected=line.startswith(b"-ERR"))
        if self._unsent:
            return self._send(self._unsent.pop())
        return LoggedIn(line + self._inbox.take_all())
