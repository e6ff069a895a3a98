"""A private Postfix: smtpd on loopback, XCLIENT from loopback, everything into one Maildir."""

import grp
import os
import pwd
from pathlib import Path

from tests.support import require
from tests.support.dovecot import Dovecot
from tests.support.pki import Pair
from tests.support.ports import free_port, release
from tests.support.process import Program
from tests.support.wait import eventually

_DAEMONS = Path("/usr/lib/postfix/sbin")

_MAIN = """\
compatibility_level = 3.6
queue_directory = {spool}
data_directory = {data}
command_directory = /usr/sbin
daemon_directory = {daemons}
mail_owner = postfix
maillog_file = {log}
maillog_file_prefixes = {directory}
myhostname = {name}.postroad.test
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
alias_database =
local_recipient_maps =
biff = no
virtual_mailbox_domains = postroad.test
virtual_mailbox_base = {mail}
virtual_mailbox_maps = static:inbox/
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
message_size_limit = 0
virtual_mailbox_limit = 0
mailbox_size_limit = 0
smtpd_authorized_xclient_hosts = {xclient}
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination
"""

_TLS = """\
smtpd_tls_security_level = may
smtpd_tls_cert_file = {certificate}
smtpd_tls_key_file = {key}
smtpd_tls_loglevel = 2
"""

_SMTPS = """\
127.0.0.1:{port} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes
127.0.0.1:{behind_port} inet n - n - - smtpd -o smtpd_upstream_proxy_protocol=haproxy
127.0.0.1:{sealed_behind_port} inet n - n - - smtpd -o smtpd_upstream_proxy_protocol=haproxy
  -o smtpd_tls_wrappermode=yes
tlsmgr    unix  - - n 1000? 1 tlsmgr
"""

_SASL = """\
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = inet:127.0.0.1:{port}
smtpd_sasl_security_options = noanonymous
"""

_SASL_REQUIRED = """\
smtpd_client_restrictions = permit_sasl_authenticated, reject
"""

_MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup    unix  n - n 60 1 pickup
cleanup   unix  n - n - 0 cleanup
qmgr      unix  n - n 300 1 qmgr
rewrite   unix  - - n - - trivial-rewrite
bounce    unix  - - n - 0 bounce
defer     unix  - - n - 0 bounce
trace     unix  - - n - 0 bounce
verify    unix  - - n - 1 verify
flush     unix  n - n 1000? 0 flush
proxymap  unix  - - n - - proxymap
proxywrite unix - - n - 1 proxymap
showq     unix  n - n - - showq
error     unix  - - n - - error
retry     unix  - - n - - error
discard   unix  - - n - - discard
virtual   unix  - n n - - virtual
anvil     unix  - - n - 1 anvil
scache    unix  - - n - 1 scache
postlog   unix-dgram n - n - 1 postlogd
"""

_QUEUES = (
    *("active", "bounce", "corrupt", "defer", "deferred", "flush"),
    *("hold", "incoming", "private", "saved", "trace"),
)


class Postfix(Program):
    """One SMTP server. Mail to anybody at ``postroad.test`` can be read with ``messages``."""

    def __init__(
        self,
        name: str = "mta",
        *,
        sasl: Dovecot | None = None,
        sasl_required: bool = False,
        xclient: bool = True,
        pair: Pair | None = None,
    ) -> None:
        """Prepare a server.

        sasl: the Dovecot that checks AUTH; None offers no AUTH.
        sasl_required: refuse clients that did not authenticate.
        xclient: believe XCLIENT from loopback.
        pair: offer STARTTLS, and implicit TLS on ``smtps_port``; ``behind_port`` and
            ``sealed_behind_port`` are the same, and want a PROXY header first.
        """
        self.name = name
        super().__init__()
        self.port = free_port()
        self._sasl = sasl
        self._sasl_required = sasl_required
        self._xclient = xclient
        self._pair = pair
        ports = [free_port() if pair else 0 for _ in range(3)]
        self.smtps_port, self.behind_port, self.sealed_behind_port = ports

    def start(self) -> None:
        """Start and wait for the port."""
        master = require.program(str(_DAEMONS / "master"))
        if os.getuid() != 0:
            require.missing("Postfix can only be started by root")
        self._make_directories()
        (self.directory / "main.cf").write_text(self._main(), encoding="utf-8")
        services = _MASTER.format(port=self.port)
        if self._pair is not None:
            services += _SMTPS.format(
                port=self.smtps_port,
                behind_port=self.behind_port,
                sealed_behind_port=self.sealed_behind_port,
            )
        (self.directory / "master.cf").write_text(services, encoding="utf-8")
        self.launch([master, "-c", str(self.directory), "-d"])
        self.wait_for_port(self.port)
        if self._pair is not None:
            self.wait_for_port(self.smtps_port)

    def close(self) -> None:
        """Stop, remove the directory, give the port back."""
        super().close()
        release(self.port)
        for port in (self.smtps_port, self.behind_port, self.sealed_behind_port):
            if port:
                release(port)

    def messages(self) -> list[bytes]:
        """Give the messages delivered so far."""
        inbox = self.directory / "mail" / "inbox" / "new"
        return [path.read_bytes() for path in sorted(inbox.glob("*"))]

    def wait_for_message(self, text: bytes, *, within_s: float = 15.0) -> bytes:
        """Wait for the delivery of a message that holds ``text``."""
        return eventually(
            lambda: next((m for m in self.messages() if text in m), None),
            f"a delivered message with {text!r}",
            within_s=within_s,
        )

    def _main(self) -> str:
        nobody = pwd.getpwnam("nobody")
        text = _MAIN.format(
            name=self.name,
            directory=self.directory,
            spool=self.directory / "spool",
            data=self.directory / "data",
            log=self.directory / "mail.log",
            mail=self.directory / "mail",
            daemons=_DAEMONS,
            uid=nobody.pw_uid,
            gid=nobody.pw_gid,
            xclient="127.0.0.0/8" if self._xclient else "",
        )
        if self._pair is None:
            text += "smtpd_tls_security_level = none\n"
        else:
            certificate, key = self._pair.write(self.directory, "server")
            text += _TLS.format(certificate=certificate, key=key)
        if self._sasl is not None:
            text += _SASL.format(port=self._sasl.sasl_port)
        if self._sasl_required:
            text += _SASL_REQUIRED
        return text

    def _make_directories(self) -> None:
        postfix = pwd.getpwnam("postfix").pw_uid
        postdrop = grp.getgrnam("postdrop").gr_gid
        spool = self.directory / "spool"
        for name in _QUEUES:
            self._make(spool / name, 0o700, postfix)
        self._make(spool / "maildrop", 0o730, postfix, postdrop)
        self._make(spool / "public", 0o710, postfix, postdrop)
        self._make(spool / "pid", 0o755, 0)
        self._make(self.directory / "data", 0o700, postfix)
        nobody = pwd.getpwnam("nobody")
        self._make(self.directory / "mail", 0o700, nobody.pw_uid, nobody.pw_gid)

    @staticmethod
    def _make(path: Path, mode: int, uid: int, gid: int = 0) -> None:
        path.mkdir(parents=True, exist_ok=True)
        os.chown(path, uid, gid)
        path.chmod(mode)
