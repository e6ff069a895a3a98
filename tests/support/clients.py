"""Mail clients as people have them: the standard library's, and curl."""

import contextlib
import imaplib
import poplib
import smtplib
import socket
import ssl
import subprocess
from collections.abc import Generator
from email.message import EmailMessage
from pathlib import Path

from tests.support import require

TIMEOUT_S = 15.0


@contextlib.contextmanager
def imap(
    port: int, login: str = "", password: str = "", *, tls: ssl.SSLContext | None = None
) -> Generator[imaplib.IMAP4, None, None]:
    """Connect, log in when a login is given, and leave no socket behind.

    tls: TLS comes first, and 127.0.0.1 has to prove to be that.
    """
    client = (
        imaplib.IMAP4("127.0.0.1", port, timeout=TIMEOUT_S)
        if tls is None
        else imaplib.IMAP4_SSL("127.0.0.1", port, ssl_context=tls, timeout=TIMEOUT_S)
    )
    try:
        if login:
            client.login(login, password)
        yield client
    finally:
        with contextlib.suppress(OSError, imaplib.IMAP4.error):
            client.logout()
        with contextlib.suppress(OSError):  # closed already, unless logout failed
            client.shutdown()


@contextlib.contextmanager
def pop3(port: int, login: str = "", password: str = "") -> Generator[poplib.POP3, None, None]:
    """Connect, log in when a login is given, and leave no socket behind."""
    client = poplib.POP3("127.0.0.1", port, timeout=TIMEOUT_S)
    try:
        if login:
            client.user(login)
            client.pass_(password)
        yield client
    finally:
        with contextlib.suppress(OSError, EOFError, poplib.error_proto):
            client.quit()
        client.close()


@contextlib.contextmanager
def smtp(port: int, login: str = "", password: str = "") -> Generator[smtplib.SMTP, None, None]:
    """Connect, log in when a login is given, and leave no socket behind."""
    client = smtplib.SMTP("127.0.0.1", port, local_hostname="client.test", timeout=TIMEOUT_S)
    try:
        if login:
            client.login(login, password)
        yield client
    finally:
        with contextlib.suppress(OSError, smtplib.SMTPException):
            client.quit()
        client.close()


def imap_host(client: imaplib.IMAP4) -> str:
    """Give the name of the Dovecot a logged-in client is on, from its welcome message."""
    client.select("INBOX", readonly=True)
    _, found = client.search(None, "SUBJECT", '"Welcome to"')
    first = found[0].split()[0].decode()
    return _host_in(fetch(client, first, "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])"))


def fetch(client: imaplib.IMAP4, number: str, what: str) -> bytes:
    """Give the literal of a FETCH answer."""
    _, parts = client.fetch(number, what)
    assert isinstance(parts[0], tuple), parts
    return bytes(parts[0][1])


def pop3_host(client: poplib.POP3) -> str:
    """Give the name of the Dovecot a logged-in client is on, from its first message."""
    return _host_in(b"\r\n".join(client.top(1, 0)[1]))


def _host_in(headers: bytes) -> str:
    for line in headers.splitlines():
        if line.lower().startswith(b"subject: welcome to "):
            return line.split()[-1].decode()
    raise AssertionError(f"no welcome message: {headers!r}")


def letter(subject: str, *, to: str = "someone@postroad.test") -> EmailMessage:
    """Give a small message."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "sender@postroad.test", to, subject
    message.set_content("Carried by post road.\n")
    return message


def curl(url: str, *options: str) -> subprocess.CompletedProcess[bytes]:
    """Run curl; the caller looks at ``returncode`` and ``stdout``."""
    return subprocess.run(
        [require.program("curl"), "--silent", "--show-error", "--max-time", "20", *options, url],
        capture_output=True,
        check=False,
        timeout=30,
    )


class Line:
    """A raw line-based connection, for what client libraries hide."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), TIMEOUT_S)
        self._file = self.socket.makefile("rb")

    def send(self, line: str) -> None:
        """Send one line."""
        self.socket.sendall(line.encode() + b"\r\n")

    def line(self) -> str:
        """Read one line; empty at the end."""
        return self._file.readline().decode().rstrip("\r\n")

    def ask(self, line: str) -> str:
        """Send one line and read one."""
        self.send(line)
        return self.line()

    def is_ended(self) -> bool:
        """Wait for the other side to close; False when it sends something instead."""
        with contextlib.suppress(ConnectionError):
            return self._file.read(1) == b""
        return True

    def close(self) -> None:
        """Close."""
        self._file.close()
        self.socket.close()

    def __enter__(self) -> "Line":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def write_letter(path: Path, subject: str) -> Path:
    """Write a message to a file, for curl."""
    path.write_bytes(letter(subject).as_bytes().replace(b"\n", b"\r\n"))
    return path
