"""Debian's Pebble, the ACME server for tests, with the DNS server that comes with it."""

import json
import os
import ssl
import urllib.request
from typing import Any

from tests.support.pki import Authority
from tests.support.ports import free_port
from tests.support.process import Program
from tests.support.require import program

BLOCKED = "blocked.example.com"
"""A name it gives no certificate for."""


class Names(Program):
    """pebble-challtestsrv as a DNS server: every name is this machine."""

    name = "challtestsrv"

    def __init__(self) -> None:
        super().__init__()
        self.port = free_port()
        self._management_port = free_port()

    def start(self) -> None:
        """Start, and wait for its management port."""
        off = [f"-{what}=" for what in ("http01", "https01", "tlsalpn01", "defaultIPv6")]
        self.launch(
            [
                *(program("pebble-challtestsrv"), *off, "-defaultIPv4=127.0.0.1"),
                f"-dns01=127.0.0.1:{self.port}",
                f"-management=127.0.0.1:{self._management_port}",
            ]
        )
        self.wait_for_port(self._management_port)


class Pebble(Program):
    """A CA that is strict, refuses nonces, and never reuses what was proven before.

    dns_server: where it looks names up, ``host:port``. eab: key identifiers and keys; given, an
    account has to name one. life_s: of certificates. http_port: where it looks for
    HTTP-01. environment: Pebble's own switches.
    """

    name = "pebble"

    def __init__(
        self,
        dns_server: str,
        *,
        eab: dict[str, str] | None = None,
        life_s: int | None = None,
        http_port: int | None = None,
        environment: dict[str, str] | None = None,
    ) -> None:
        super().__init__()
        self.authority = Authority("Root of the directory")
        self.port, self.management_port = free_port(), free_port()
        self.http_port = http_port or free_port()
        self._dns_server, self._eab, self._life_s = dns_server, eab, life_s
        self._environment = {
            "PEBBLE_VA_NOSLEEP": "1",
            "PEBBLE_VA_ALWAYS_VALID": "0",
            "PEBBLE_WFE_NONCEREJECT": "25",
            "PEBBLE_AUTHZREUSE": "0",
            **(environment or {}),
        }

    @property
    def directory_url(self) -> str:
        """Address of the directory."""
        return f"https://localhost:{self.port}/dir"

    def start(self) -> None:
        """Start, and wait until it serves."""
        pair = self.authority.issue("localhost", "127.0.0.1")
        certificate, key = pair.write(self.directory, "directory")
        config: dict[str, Any] = {
            "listenAddress": f"127.0.0.1:{self.port}",
            "managementListenAddress": f"127.0.0.1:{self.management_port}",
            "certificate": str(certificate),
            "privateKey": str(key),
            "httpPort": self.http_port,
            "tlsPort": free_port(),
            "domainBlocklist": [BLOCKED],
            "externalAccountBindingRequired": self._eab is not None,
            "externalAccountMACKeys": self._eab or {},
        }
        if self._life_s:
            config["certificateValidityPeriod"] = self._life_s
        path = self.directory / "pebble.json"
        path.write_text(json.dumps({"pebble": config}))
        self.launch(
            [program("pebble"), "-strict", "-config", str(path), "-dnsserver", self._dns_server],
            env={**os.environ, **self._environment},
        )
        self.wait_for_port(self.port)

    def ask(self, path: str) -> bytes:
        """Ask its management interface."""
        context = ssl.create_default_context(cadata=self.authority.pem)
        url = f"https://localhost:{self.management_port}{path}"
        with urllib.request.urlopen(url, context=context, timeout=5) as answer:
            body: bytes = answer.read()
            return body

    def status_of(self, serial: int) -> str:
        """Say what it thinks of a certificate: ``Valid`` or ``Revoked``."""
        found = json.loads(self.ask(f"/cert-status-by-serial/{serial:x}"))
        return str(found["Status"])
