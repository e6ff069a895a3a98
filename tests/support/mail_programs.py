"""Mail programs people have, each run once with a configuration of its own and no home."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.support import require

_WITHIN_S = 30

Done = subprocess.CompletedProcess[bytes]


@dataclass(frozen=True)
class Tls:
    """How a program is to speak TLS, and whom it is to believe."""

    mode: str = "plain"
    """``plain``, ``starttls`` or ``implicit``."""
    host: str = "127.0.0.1"
    """Whom it calls, and whose certificate it wants to see."""
    authority: Path = Path()


PLAIN = Tls()


def _run(argv: list[str], home: Path, *, text: bytes = b"") -> Done:
    return subprocess.run(
        [require.program(argv[0]), *argv[1:]],
        input=text,
        capture_output=True,
        check=False,
        timeout=_WITHIN_S,
        cwd=home,
        env={"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8", "TERM": "dumb"},
    )


def _private(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return path


def quoted(text: str) -> str:
    """Give a string as the configurations below take it."""
    escaped = text.replace("\\", r"\\").replace('"', r"\"")
    return f'"{escaped}"'


def _hex(text: str) -> str:
    """Give a string as fetchmail takes it: it knows no other way to write a quote."""
    return "".join(f"\\x{octet:02x}" for octet in text.encode())


def fetchmail(
    home: Path,
    protocol: str,
    port: int,
    login: str,
    password: str,
    *,
    auth: str = "password",
    tls: Tls = PLAIN,
) -> tuple[Done, str]:
    """Fetch all messages, leaving them there; gives them as one text, too.

    protocol: ``imap``, ``pop3`` or ``apop``.
    """
    fetched = home / "fetched"
    believes = f'sslcertck sslcertfile "{tls.authority}"'
    sealing = {
        "plain": 'sslproto ""',
        "starttls": f'sslproto "tls1.2+" {believes}',
        "implicit": f"ssl {believes}",
    }
    config = f"""
        poll {tls.host} service {port} protocol {protocol} auth {auth}
        username "{_hex(login)}" password "{_hex(password)}"
        {sealing[tls.mode]} keep fetchall mda "cat >>{fetched}"
    """
    rc = _private(home / "fetchmailrc", config)
    pid_file = str(home / "fetchmail.pid")
    argv = ["fetchmail", "-f", str(rc), "--pidfile", pid_file, "--nosyslog", "-v", "-v"]
    done = _run([*argv, "-i", str(home / "ids")], home)
    return done, fetched.read_text(encoding="utf-8") if fetched.exists() else ""


def mbsync(
    home: Path,
    port: int,
    login: str,
    password: str,
    *,
    mechanism: str = "LOGIN",
    tls: Tls = PLAIN,
) -> tuple[Done, list[bytes]]:
    """Copy the INBOX into a Maildir; gives the messages in it, too."""
    if mechanism != "LOGIN" and not list(Path("/usr/lib").glob("*/sasl2/libplain.so")):
        require.missing("libsasl2-modules is not installed")
    sealing = {"plain": "None", "starttls": "STARTTLS", "implicit": "IMAPS"}[tls.mode]
    if tls.mode != "plain":
        sealing += f"\nSystemCertificates no\nCertificateFile {tls.authority}"
    config = f"""
IMAPAccount there
Host {tls.host}
Port {port}
User {quoted(login)}
PassCmd "cat {_private(home / "password", password)}"
SSLType {sealing}
AuthMechs {mechanism}

IMAPStore far
Account there

MaildirStore near
Path {home}/mail/
Inbox {home}/mail/INBOX

Channel inbox
Far :far:
Near :near:
Patterns INBOX
Create Near
Sync Pull
SyncState *
"""
    (home / "mail").mkdir()
    done = _run(["mbsync", "-c", str(_private(home / "mbsyncrc", config)), "-V", "inbox"], home)
    return done, [path.read_bytes() for path in sorted((home / "mail").glob("INBOX/*/*,*"))]


def msmtp(
    home: Path,
    port: int,
    login: str,
    password: str,
    message: bytes,
    *,
    auth: str = "plain",
    tls: Tls = PLAIN,
) -> Done:
    """Send a message."""
    sealing = "tls off"
    if tls.mode != "plain":
        starttls = "on" if tls.mode == "starttls" else "off"
        sealing = f"tls on\ntls_starttls {starttls}\ntls_trust_file {tls.authority}"
    config = f"""
account there
host {tls.host}
port {port}
domain laptop.example
from sender@postroad.test
{sealing}
auth {auth}
user {login}
passwordeval "cat {_private(home / "password", password)}"
account default : there
"""
    rc = _private(home / "msmtprc", config)
    argv = ["msmtp", "-C", str(rc), "--debug", "someone@postroad.test"]
    return _run(argv, home, text=message)


def mutt(
    home: Path,
    smtp_port: int,
    imap_port: int,
    login: str,
    password: str,
    body: bytes,
    *,
    tls: Tls = PLAIN,
) -> Done:
    """Send a text by SMTP and keep a copy in the IMAP folder ``Sent``; its subject is ``mutt``."""
    s, host = "s" if tls.mode == "implicit" else "", tls.host
    sealing = "set ssl_starttls=no ssl_force_tls=no"
    if tls.mode != "plain":
        sealing = (
            "set ssl_starttls=yes ssl_force_tls=yes ssl_verify_host=yes certificate_file=/dev/null"
            f' ssl_ca_certificates_file="{tls.authority}"'
        )
    config = f"""
set my_pass={quoted(password)}
set smtp_url="smtp{s}://{login}@{host}:{smtp_port}/" smtp_pass=$my_pass
set imap_user="{login}" imap_pass=$my_pass
set folder="imap{s}://{host}:{imap_port}/"
set record="imap{s}://{host}:{imap_port}/Sent" copy=yes confirmcreate=no confirmappend=no
{sealing}
set from="sender@postroad.test" hostname="laptop.example" use_envelope_from=yes
"""
    rc = _private(home / "muttrc", config)
    argv = ["mutt", "-n", "-F", str(rc), "-s", "mutt", "--", "someone@postroad.test"]
    return _run(argv, home, text=body)


def swaks(
    home: Path,
    port: int,
    login: str,
    password: str,
    subject: str,
    *more: str,
    auth: str = "PLAIN",
    tls: Tls = PLAIN,
) -> Done:
    """Send a message with this subject, showing the whole dialogue on standard output.

    It looks at the chain of a certificate and at no name.
    """
    if tls.mode != "plain":
        how = "--tls" if tls.mode == "starttls" else "--tls-on-connect"
        more += (how, "--tls-sni", tls.host, "--tls-verify", "--tls-ca-path", str(tls.authority))
    argv = [
        *("swaks", "--server", tls.host, "--port", str(port), "--helo", "laptop.example"),
        *("--auth", auth, "--auth-user", login, "--auth-password", password),
        *("--from", "sender@postroad.test", "--to", "someone@postroad.test"),
        *("--header", f"Subject: {subject}", *more),
    ]
    return _run(argv, home)
