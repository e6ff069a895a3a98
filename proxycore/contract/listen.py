"""Where a server block listens, and how each socket is made."""

import ipaddress
from dataclasses import dataclass

from proxycore.contract.fields import setting

_ADDRESS = r"\*|[0-9A-Za-z._:-]+|unix:/[^\x00-\x1f\x7f]+"
_MAX_BUFFER = 1_073_741_824
_MAX_KEEPALIVE_S = 32_767  # net/ipv4/tcp.c: MAX_TCP_KEEPIDLE, MAX_TCP_KEEPINTVL


@dataclass(frozen=True, slots=True, kw_only=True)
class Listen:
    """One socket a server block accepts connections on."""

    address: str = setting(
        "IP address or host name, `*` for any IPv4 address, or `unix:/path`.",
        default="*",
        pattern=_ADDRESS,
        allowed="`*`, an IP address, a host name or `unix:/path`",
        directive="listen",
    )
    port: int = setting(
        "TCP port; 0 with a unix socket.", default=0, directive="listen", minimum=0, maximum=65535
    )
    backlog: int = setting(
        "Connections that may wait to be accepted.",
        default=4096,
        directive="listen",
        unit="count",
        minimum=1,
        maximum=65535,
    )
    proxy_protocol: bool = setting(
        "Connections begin with a PROXY protocol header (version 1 or 2); others are closed.",
        default=False,
        directive="listen",
    )
    ssl: bool = setting(
        "TLS from the first octet (after a PROXY header, where there is one).",
        default=False,
        directive="listen",
    )
    bind: bool = setting(
        "Bind this address on its own even where a wildcard on the same port covers it.",
        default=False,
        directive="listen",
    )
    rcvbuf_bytes: int = setting(
        "Receive buffer of connections; 0 is the system's.",
        default=0,
        directive="listen",
        unit="bytes",
        minimum=0,
        maximum=_MAX_BUFFER,
    )
    sndbuf_bytes: int = setting(
        "Send buffer of connections; 0 is the system's.",
        default=0,
        directive="listen",
        unit="bytes",
        minimum=0,
        maximum=_MAX_BUFFER,
    )
    ipv6only: bool = setting(
        "Whether `[::]` takes IPv6 connections only, or IPv4 ones as well.",
        default=True,
        directive="listen",
    )
    so_keepalive: str = setting(
        "Keep-alive probes on the connections of clients; `default` is the system's.",
        default="default",
        directive="listen",
        choices=("default", "on", "off"),
    )
    keepalive_idle_s: int = setting(
        "Silence before the first keep-alive probe, in seconds; 0 is the system's.",
        default=0,
        directive="listen",
        minimum=0,
        maximum=_MAX_KEEPALIVE_S,
    )
    keepalive_interval_s: int = setting(
        "Time between keep-alive probes, in seconds; 0 is the system's.",
        default=0,
        directive="listen",
        minimum=0,
        maximum=_MAX_KEEPALIVE_S,
    )
    keepalive_count: int = setting(
        "Unanswered keep-alive probes before a connection is given up; 0 is the system's.",
        default=0,
        directive="listen",
        unit="count",
        minimum=0,
        maximum=127,
    )
    multipath: bool = setting(
        "Take Multipath TCP connections, where the kernel can.",
        default=False,
        directive="listen",
    )

    @property
    def key(self) -> str:
        """Name of the socket in logs and when two configurations are compared.

        Addresses that are written differently and are the same give the same name.
        """
        if self.address.startswith("unix:"):
            return self.address
        return f"[{self.ip}]:{self.port}" if ":" in self.ip else f"{self.ip}:{self.port}"

    @property
    def ip(self) -> str:
        """The address as the kernel writes it; ``*`` for any IPv4 address."""
        if self.address == "0.0.0.0":  # noqa: S104  (a name)
            return "*"
        try:
            return ipaddress.IPv6Address(self.address).compressed
        except ValueError:
            return self.address

    @property
    def wildcard(self) -> str:
        """Key of the socket for any address that would cover this one; "" when none could."""
        if self.address.startswith("unix:") or not self.port:
            return ""
        return f"[::]:{self.port}" if ":" in self.address else f"*:{self.port}"

    @property
    def is_bound_apart(self) -> bool:
        """Whether it needs a socket of its own: asked for, or implied by an option (nginx)."""
        plain = Listen(
            address=self.address,
            port=self.port,
            proxy_protocol=self.proxy_protocol,
            ssl=self.ssl,
        )
        return self != plain
