"""A configuration file from a string, and what was said about it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from proxycore.contract.snapshot import Server
from proxycore.nginxconf import Loaded, load

LoadText = Callable[[str], Loaded]


@pytest.fixture
def load_text(tmp_path: Path) -> LoadText:
    def load_it(text: str) -> Loaded:
        path = tmp_path / "nginx.conf"
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
        return load(str(path))

    return load_it


def mail(server: str = "", main: str = "") -> str:
    """Give a file that loads, with more lines in its server block or in ``mail``."""
    return f"mail {{ auth_http 127.0.0.1:9000; {main}\nserver {{ listen 143; {server} }} }}"


def the_server(loaded: Loaded) -> Server:
    assert loaded.snapshot is not None, loaded.problems
    (server,) = loaded.snapshot.servers
    return server


def said(loaded: Loaded) -> list[str]:
    return [f"{problem.line}: {problem.message}" for problem in loaded.problems]


def remarked(loaded: Loaded) -> list[str]:
    return [f"{one.level} {one.line}: {one.message}" for one in loaded.notices]
