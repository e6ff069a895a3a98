"""Clients of a house that speak TLS: Python's own, over a real socket, stepped by the test."""

import socket
from dataclasses import replace
from typing import Any, Self

from proxycore.contract.snapshot import Listen, Process, Server, Snapshot
from proxycore.contract.tls import FrontTls
from tests.unit.proxycore.net.house import House, Peer, listening
from tests.unit.proxycore.net.tls.client import Client
from tests.unit.proxycore.net.tls.ends import front_settings


class TlsPeer(Peer):
    """A client. What it ``send``s is sealed once ``shake`` was called."""

    tls: Client | None = None

    def begin(self, **settings: Any) -> Self:
        """Send a ClientHello."""
        self.tls = Client(**settings)
        _, hello = self.tls.feed(b"")
        super().send(hello)
        return self

    def shake(self, **settings: Any) -> Self:
        """Shake hands, up to our own end of it."""
        if self.tls is None:
            self.begin(**settings)
        tls = self.tls
        assert tls is not None

        def is_done() -> bool:
            self.read()
            return tls.done or tls.error is not None or self.ended

        self.house.pump(is_done, "a handshake")
        return self

    def send(self, data: bytes) -> Self:
        return super().send(data if self.tls is None else self.tls.send(data))

    def send_raw(self, data: bytes) -> Self:
        """Send octets as they are."""
        return super().send(data)

    def read(self) -> bool:
        if self.tls is None:
            return super().read()
        before, self.received = self.received, b""
        changed = super().read()
        sealed, self.received = self.received, before
        if sealed:
            plain, answer = self.tls.feed(sealed)
            self.received += plain
            if answer:
                super().send(answer)
        return changed


def client_of(house: House, source: str = "127.0.0.1") -> TlsPeer:
    """Connect from an address, and say nothing."""
    sock = socket.create_connection(house.address, source_address=(source, 0))
    peer = TlsPeer(house, sock)
    house._peers.append(peer)
    return peer


def serve(
    house: House,
    protocol: str = "imap",
    *,
    implicit: bool = False,
    starttls: str = "off",
    front: FrontTls | None = None,
    **settings: Any,
) -> None:
    """Run one block that speaks TLS, on the house's socket."""
    apply(house, block(house, protocol, front=front, starttls=starttls, **settings), ssl=implicit)


def block(
    house: House,
    protocol: str = "imap",
    *,
    front: FrontTls | None = None,
    starttls: str = "off",
    **settings: Any,
) -> Server:
    return house.server(protocol, front_tls=front or front_settings(starttls=starttls), **settings)


def apply(
    house: House,
    *servers: Server,
    ssl: bool = False,
    proxied: bool = False,
    connections: int = 1000,
) -> None:
    """Run blocks that share the house's socket; the first call opens it."""
    sockets = {}
    if not house.key:
        sock = listening()
        house.address = sock.getsockname()
        house.key = f"127.0.0.1:{house.address[1]}"
        sockets = {house.key: sock}
    listen = Listen(address="127.0.0.1", port=house.address[1], ssl=ssl, proxy_protocol=proxied)
    snapshot = Snapshot(
        servers=tuple(replace(server, listens=(listen,)) for server in servers),
        process=Process(worker_connections=connections),
    )
    house.engine.apply(snapshot, sockets)
