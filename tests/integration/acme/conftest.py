"""One CA for the tests of a file, and the appliance answering it."""

from collections.abc import Iterator

import pytest

from appliance.acme.models import Account
from tests.support.acme import registered
from tests.support.acme_pages import pages
from tests.support.pebble import Names, Pebble


@pytest.fixture(scope="session")
def names() -> Iterator[Names]:
    """Every name leads to this machine."""
    with Names() as server:
        yield server


@pytest.fixture(scope="session")
def pebble(names: Names) -> Iterator[Pebble]:
    """A strict CA that refuses every fourth nonce."""
    with Pebble(f"127.0.0.1:{names.port}") as ca:
        yield ca


@pytest.fixture
def answering(db: None, pebble: Pebble) -> Iterator[None]:
    """The appliance's web server is where the CA looks."""
    with pages(pebble.http_port):
        yield


@pytest.fixture
def account(answering: None, pebble: Pebble) -> Account:
    """A registered account."""
    return registered(pebble)
