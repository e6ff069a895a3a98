"""Every test here runs once for each proxy: nginx proves the test, the test proves ours."""

from collections.abc import Generator
from pathlib import Path
from typing import Final

import pytest

from tests.support import proxies
from tests.support.pki import self_signed
from tests.support.stub_backends import ImapStub, Pop3Stub, SmtpStub

PENDING: Final[tuple[str, ...]] = ()
"""Modules whose tests do not run against ours yet, each with the feature it waits for."""


def pytest_configure(config: pytest.Config) -> None:
    """Say what the markers mean."""
    config.addinivalue_line("markers", "nginx_since(version): behaviour nginx has since a version")
    config.addinivalue_line("markers", "theirs(why): behaviour of nginx's that ours is not to have")
    config.addinivalue_line("markers", "twice: logs in twice in one session")
    config.addinivalue_line("markers", "ours(why): behaviour in which ours is meant to differ")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test for each proxy that has the behaviour."""
    if "kind" in metafunc.fixturenames:
        metafunc.parametrize("kind", _kinds(metafunc.definition), scope="module")


def _kinds(item: pytest.Item) -> list[str]:
    kinds = []
    module = item.path.stem.removeprefix("test_")
    is_pending = any(module == pending.partition(":")[0] for pending in PENDING)
    if not is_pending and item.get_closest_marker("theirs") is None:
        kinds.append(proxies.OURS)
    since = item.get_closest_marker("nginx_since")
    if item.get_closest_marker("ours") is None and (
        since is None or proxies.nginx_version() >= tuple(map(int, since.args[0].split(".")))
    ):
        kinds.append(proxies.NGINX)
    return kinds


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Give files with a certificate for localhost: ``@CRT@`` and ``@KEY@`` of a configuration."""
    pair = self_signed("localhost")
    crt, key = pair.write(tmp_path_factory.mktemp("certificate"), "localhost")
    return {"CRT": crt, "KEY": key}


@pytest.fixture(scope="module")
def imap_backend() -> Generator[ImapStub, None, None]:
    with ImapStub() as backend:
        yield backend


@pytest.fixture(scope="module")
def pop3_backend() -> Generator[Pop3Stub, None, None]:
    with Pop3Stub() as backend:
        yield backend


@pytest.fixture(scope="module")
def smtp_backend() -> Generator[SmtpStub, None, None]:
    with SmtpStub() as backend:
        yield backend
