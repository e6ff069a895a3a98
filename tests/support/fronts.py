"""A place where mail clients log in: three ports, whoever serves them."""

from dataclasses import dataclass

from tests.support.authserver import AuthServer
from tests.support.ports import free_port
from tests.support.proxycore import Proxycore

STANDALONE_CONFIG = """\
worker_processes 1;
error_log @DIR@/logs/error.log debug;
pid @DIR@/logs/nginx.pid;
events {{
}}
mail {{
    server_name postroad.test;
    auth_http 127.0.0.1:{auth}/auth;
    proxy_pass_error_message on;
    server {{
        listen 127.0.0.1:{imap};
        protocol imap;
        imap_auth plain login;
    }}
    server {{
        listen 127.0.0.1:{pop3};
        protocol pop3;
    }}
    server {{
        listen 127.0.0.1:{smtp};
        protocol smtp;
        smtp_auth plain login;
        xclient on;
    }}
}}
"""


@dataclass(frozen=True)
class Front:
    """Ports on 127.0.0.1 by protocol."""

    imap: int
    pop3: int
    smtp: int

    @classmethod
    def on_free_ports(cls) -> "Front":
        """Choose ports."""
        return cls(free_port(), free_port(), free_port())

    @property
    def ports(self) -> list[int]:
        """All three."""
        return [self.imap, self.pop3, self.smtp]


def standalone(front: Front, auth: AuthServer, *, workers: int = 1) -> Proxycore:
    """Prepare a daemon that runs alone and asks ``auth``."""
    config = STANDALONE_CONFIG.format(
        auth=auth.port, imap=front.imap, pop3=front.pop3, smtp=front.smtp
    )
    return Proxycore.standalone(config, front.ports, workers=workers)
