"""A private Dovecot 2.3: IMAP and POP3 on loopback, Maildir storage, its own users."""

import contextlib
import grp
import itertools
import os
import pwd
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.support import require
from tests.support.pki import Pair
from tests.support.ports import free_port, release
from tests.support.process import Program

_NUMBERS = itertools.count()
"""Of all messages put anywhere."""

_CONFIG = """\
instance_name = {name}
base_dir = {run}
log_path = {log}
protocols = imap pop3
listen = 127.0.0.1
{tls}
disable_plaintext_auth = no
login_greeting = {name} ready
auth_mechanisms = plain login
auth_failure_delay = 0
auth_username_format = %u
mail_location = maildir:{mail}/%u
mail_uid = {mail_user}
mail_gid = {mail_group}
first_valid_uid = 1
first_valid_gid = 1
mail_max_userip_connections = 0
mailbox_list_index = no
default_internal_user = {internal_user}
default_internal_group = {internal_group}
default_login_user = {login_user}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {users}
}}
userdb {{
  driver = static
  args = uid={mail_user} gid={mail_group} home={mail}/%u
}}
service imap-login {{
  chroot =
  process_min_avail = 1
  service_count = 0
  inet_listener imap {{
    port = {imap_port}
  }}
  inet_listener imaps {{
    port = {imaps_port}
    ssl = yes
  }}
}}
service pop3-login {{
  chroot =
  process_min_avail = 1
  service_count = 0
  inet_listener pop3 {{
    port = {pop3_port}
  }}
  inet_listener pop3s {{
    port = {pop3s_port}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service auth {{
  inet_listener sasl {{
    port = {sasl_port}
  }}
}}
service auth-worker {{
  user = $default_internal_user
}}
service stats {{
  chroot =
}}
"""

_TLS = """\
ssl = yes
ssl_cert = <{certificate}
ssl_key = <{key}
verbose_ssl = yes\
"""


class Dovecot(Program):
    """One mail server. Every user of it finds its name in the welcome message.

    With a certificate it offers STARTTLS (and demands it of nobody), and implicit TLS on ports of
    its own.
    """

    def __init__(
        self, name: str, users: Mapping[str, str], *, pair: Pair | None = None, more: str = ""
    ) -> None:
        """Prepare a server called ``name`` for ``users`` (login to password).

        more: further configuration; ``@DIR@`` in it becomes the server's own directory.
        """
        self.name = name
        super().__init__()
        self.imap_port, self.pop3_port, self.sasl_port = (free_port() for _ in range(3))
        self._pair = pair
        self._more = more
        self.imaps_port, self.pop3s_port = (free_port(), free_port()) if pair else (0, 0)
        self.mail = self.directory / "mail"
        self.users = dict(users)
        self._program = ""
        self._mail_ids = (os.getuid(), os.getgid())

    def start(self) -> None:
        """Start, and put a welcome message into every mailbox."""
        self._program = require.program("dovecot")
        require.program("/usr/lib/dovecot/imap")
        require.program("/usr/lib/dovecot/pop3")
        self._write_config()
        for login in self.users:
            if not list((self.mail / login).glob("new/*")):
                self.deliver(login, welcome(self.name, login))
        self.launch([self._program, "-F", "-c", str(self.directory / "dovecot.conf")])
        self.wait_for_port(self.imap_port)
        self.wait_for_port(self.pop3_port)
        if self._pair is not None:
            self.wait_for_port(self.imaps_port)
            self.wait_for_port(self.pop3s_port)

    def close(self) -> None:
        """Stop, remove the directory, give the ports back."""
        super().close()
        ports = [self.imap_port, self.pop3_port, self.sasl_port, self.imaps_port, self.pop3s_port]
        for port in filter(None, ports):
            release(port)

    def deliver(self, login: str, message: bytes, *, seen: bool = False) -> Path:
        """Put one message, line ends as given, into a user's INBOX; gives its file."""
        for part in ("", "cur", "new", "tmp"):
            self._own(self.mail / login / part)
        box = self.mail / login / ("cur" if seen else "new")
        # a name is a message's identity in a maildir, wherever in it the message has moved to
        name = f"{next(_NUMBERS):08d}.postroad" + (":2,S" if seen else "")
        path = self.mail / login / "tmp" / name
        path.write_bytes(message)
        os.chown(path, *self._mail_ids)
        return path.rename(box / name)

    def deliver_chunks(self, login: str, chunks: Iterable[bytes]) -> None:
        """Put a message too big for memory into a user's INBOX."""
        with self.deliver(login, b"").open("wb") as file:
            for chunk in chunks:
                file.write(chunk)

    def set_users(self, users: Mapping[str, str]) -> None:
        """Replace the users; effective for the next login."""
        self.users = dict(users)
        lines = (f"{login}:{{PLAIN}}{password}::::::\n" for login, password in users.items())
        path = self.directory / "users.new"
        path.write_text("".join(lines), encoding="utf-8")
        path.chmod(0o644)
        path.rename(self.directory / "users")

    def logins(self) -> list[str]:
        """Give the logins the server accepted, oldest first."""
        return re.findall(r"-login: Info: Login: user=<([^>]*)>", self.log())

    def _tls(self) -> str:
        if self._pair is None:
            return "ssl = no"
        certificate, key = self._pair.write(self.directory, "server")
        return _TLS.format(certificate=certificate, key=key)

    def _own(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(PermissionError):
            os.chown(path, *self._mail_ids)

    def _write_config(self) -> None:
        me, group = pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(os.getgid()).gr_name
        accounts = {
            "mail_user": me,
            "mail_group": group,
            "internal_user": me,
            "internal_group": group,
            "login_user": me,
        }
        if os.getuid() == 0:
            nobody = pwd.getpwnam("nobody")
            self._mail_ids = (nobody.pw_uid, nobody.pw_gid)
            accounts = {
                "mail_user": "nobody",
                "mail_group": grp.getgrgid(nobody.pw_gid).gr_name,
                "internal_user": "dovecot",
                "internal_group": "dovecot",
                "login_user": "dovenull",
            }
        self._own(self.mail)
        self.set_users(self.users)
        text = _CONFIG.format(
            name=self.name,
            run=self.directory / "run",
            log=self.directory / "dovecot.log",
            mail=self.mail,
            users=self.directory / "users",
            tls=self._tls(),
            imaps_port=self.imaps_port,
            pop3s_port=self.pop3s_port,
            imap_port=self.imap_port,
            pop3_port=self.pop3_port,
            sasl_port=self.sasl_port,
            **accounts,
        )
        text += self._more.replace("@DIR@", str(self.directory))
        (self.directory / "dovecot.conf").write_text(text, encoding="utf-8")


def welcome(host: str, login: str) -> bytes:
    """Give the message that tells a test which mail server it is on."""
    return (
        f"From: postmaster@{host}.test\r\nTo: {login}\r\nSubject: Welcome to {host}\r\n"
        f"Message-ID: <welcome@{host}.test>\r\n\r\nThis is {host}.\r\n"
    ).encode()
