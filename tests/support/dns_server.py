"""A private BIND: authoritative for ``example.test``, takes dynamic updates signed with TSIG."""

import base64
import secrets
import subprocess
from typing import Any

import dns.message
import dns.query

from tests.support import require
from tests.support.ports import free_port, release
from tests.support.process import Program
from tests.support.wait import eventually

ZONE = "example.test"
KEY = "postroad."

_CONFIG = """\
options {{
  directory "{directory}";
  pid-file "{directory}/named.pid";
  session-keyfile "{directory}/session.key";
  listen-on port {port} {{ 127.0.0.1; }};
  listen-on-v6 port {port} {{ ::1; }};
  recursion no;
  notify no;
  dnssec-validation no;
  querylog yes;
}};
controls {{ }};
key "{key}" {{ algorithm {algorithm}; secret "{secret}"; }};
{zones}
"""

_PRIMARY = """\
zone "{zone}" {{
  type primary;
  file "{zone}.zone";
  update-policy {{ grant "{key}" zonesub TXT; }};
}};
"""

_DATA = """\
$TTL 60
@ IN SOA ns1 hostmaster 1 3600 600 86400 60
@ IN NS ns1
ns1 IN A 127.0.0.1
* IN A 127.0.0.1
"""


class DnsServer(Program):
    """One name server on loopback. Everything in its zones is at 127.0.0.1."""

    name = "named"

    def __init__(self, *, zones: tuple[str, ...] = (ZONE,), algorithm: str = "hmac-sha256") -> None:
        super().__init__()
        self.port = free_port()
        self.zones = zones
        self.key, self.algorithm = KEY, algorithm
        self.secret = base64.b64encode(secrets.token_bytes(32)).decode()

    def start(self) -> None:
        """Start and wait until it answers."""
        named = require.program("named")
        for zone in self.zones:
            (self.directory / f"{zone}.zone").write_text(_DATA)
        config = self.directory / "named.conf"
        config.write_text(
            _CONFIG.format(
                directory=self.directory,
                port=self.port,
                key=self.key,
                algorithm=self.algorithm,
                secret=self.secret,
                zones="".join(_PRIMARY.format(zone=zone, key=self.key) for zone in self.zones),
            )
        )
        self.launch([named, "-g", "-n", "1", "-c", str(config)])
        eventually(lambda: bool(self.ask(self.zones[0], "SOA")), "named answers")

    def close(self) -> None:
        """Stop, remove the directory, give the port back."""
        super().close()
        release(self.port)

    def ask(self, name: str, kind: str = "TXT") -> list[str]:
        """Give what it has for a name."""
        self.check_alive()
        question = dns.message.make_query(name, kind)
        answer = dns.query.tcp(question, "127.0.0.1", 5, self.port)
        rows = [row for one in answer.answer for row in one]
        return sorted(row.to_text().strip('"') for row in rows)

    def update(self, change: str) -> None:
        """Change its data with BIND's own program: ``add NAME TTL TXT VALUE``, ``delete …``."""
        subprocess.run(
            [require.program("nsupdate"), "-y", f"{self.algorithm}:{self.key}:{self.secret}"],
            input=f"server 127.0.0.1 {self.port}\nupdate {change}\nsend\n",
            text=True,
            check=True,
            timeout=20,
        )

    def settings(self, **more: Any) -> dict[str, Any]:
        """Give the columns of an ``appliance.acme.models.DnsSolver`` for it."""
        return {
            "name": "named",
            "kind": "rfc2136",
            "server": "127.0.0.1",
            "port": self.port,
            "tsig_name": self.key,
            "tsig_algorithm": self.algorithm,
            "tsig_secret": self.secret,
            **more,
        }
