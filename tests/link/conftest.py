"""A node as a process, and what it needs around it."""

from collections.abc import Generator
from pathlib import Path

import pytest

from proxycore.contract.protocol import Protocol
from proxycore.contract.snapshot import AuthHttp, ErrorLog, Listen, Process, Server, Snapshot
from tests.link.station import TOKEN, Station
from tests.support.ports import free_port
from tests.unit.proxycore.daemon.serve import Imap, Serve, everybody_let_in


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.link)


class ManagedNode(Serve):
    """``serve --control``, with a state directory that outlives a stop."""

    def __init__(self, control: str) -> None:
        super().__init__()
        self.state = self.directory / "node"
        self.token_file = self.directory / "token"
        self.write_token(TOKEN)
        self._arguments = [
            *("--control", control),
            *("--state-dir", str(self.state)),
            *("--token-file", str(self.token_file)),
        ]

    def write_token(self, token: str, mode: int = 0o600) -> None:
        self.token_file.write_text(token)
        self.token_file.chmod(mode)

    def start(self) -> None:
        self.launch_only()


@pytest.fixture
def station() -> Generator[Station, None, None]:
    with Station(free_port()) as running:
        yield running


@pytest.fixture
def node(station: Station) -> Generator[ManagedNode, None, None]:
    with ManagedNode(station.url) as running:
        yield running


@pytest.fixture(scope="module")
def auth_port() -> Generator[int, None, None]:
    """An auth service that sends everybody to a mail server that lets everybody in."""
    with everybody_let_in() as port:
        yield port


def snapshot(node: Serve, *ports: int, auth_port: int = 9) -> Snapshot:
    return Snapshot(
        servers=tuple(
            Server(
                name=f"imap{port}",
                protocol=Protocol.IMAP,
                listens=(Listen(address="127.0.0.1", port=port),),
                auth_http=AuthHttp(host="127.0.0.1", port=auth_port),
            )
            for port in ports
        ),
        process=Process(
            worker_processes=1,
            error_logs=(ErrorLog(target=str(node.log_file), level="info"),),
        ),
    )


def log_in(port: int, login: str = "alice") -> Imap:
    client = Imap(port)
    assert client.ask(f"a LOGIN {login} secret").startswith(b"a OK")
    return client
