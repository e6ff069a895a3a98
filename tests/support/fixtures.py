"""Fixtures of more than one folder: real mail servers and proxies, each started once per run."""

import os
from collections.abc import Generator

import pytest

from tests.support.appliance import Appliance
from tests.support.authserver import AuthServer, listing_15_2
from tests.support.cast import MAILHOST01, MAILHOST02, PASSWORDS
from tests.support.dovecot import Dovecot
from tests.support.fronts import Front, standalone
from tests.support.postfix import Postfix
from tests.support.proxycore import Proxycore


@pytest.fixture(scope="session")
def mailhost01() -> Generator[Dovecot, None, None]:
    with Dovecot(MAILHOST01, PASSWORDS) as dovecot:
        yield dovecot


@pytest.fixture(scope="session")
def mailhost02() -> Generator[Dovecot, None, None]:
    with Dovecot(MAILHOST02, PASSWORDS) as dovecot:
        yield dovecot


@pytest.fixture(scope="session")
def mta() -> Generator[Postfix, None, None]:
    with Postfix() as postfix:
        yield postfix


@pytest.fixture(scope="session")
def mta_port(request: pytest.FixtureRequest) -> int:
    """Where SMTP goes. Only root can start a Postfix; for others SMTP goes nowhere."""
    return request.getfixturevalue("mta").port if os.getuid() == 0 else 25


@pytest.fixture(scope="session")
def auth_service(
    mailhost01: Dovecot, mailhost02: Dovecot, mta_port: int
) -> Generator[AuthServer, None, None]:
    """Somebody's auth_http service with the policy of listing 15-2, and no Django."""
    hosts = {
        dovecot.name: (
            "127.0.0.1",
            {"imap": dovecot.imap_port, "pop3": dovecot.pop3_port, "smtp": mta_port},
        )
        for dovecot in (mailhost01, mailhost02)
    }
    with AuthServer(listing_15_2(hosts, PASSWORDS)) as server:
        yield server


@pytest.fixture(scope="session")
def standalone_front(auth_service: AuthServer) -> Generator[tuple[Front, Proxycore], None, None]:
    """Postroad's daemon alone, from an nginx.conf."""
    front = Front.on_free_ports()
    with standalone(front, auth_service, workers=2) as daemon:
        yield front, daemon


@pytest.fixture(scope="session")
def appliance(
    mailhost01: Dovecot, mailhost02: Dovecot, mta_port: int
) -> Generator[Appliance, None, None]:
    """Everything ``make run`` starts, with the example of listing 15-2 loaded."""
    with Appliance(variables={"POSTROAD_AUTH_WAIT_S": "1"}) as running:
        running.load_example([mailhost01, mailhost02], smtp_port=mta_port)
        running.add_accounts(PASSWORDS)
        yield running


@pytest.fixture(scope="session")
def managed_front(appliance: Appliance) -> tuple[Front, Appliance]:
    """Postroad's daemon as the appliance's local node."""
    return appliance.front, appliance


@pytest.fixture(scope="session", params=["standalone", "managed"])
def front(request: pytest.FixtureRequest) -> Front:
    """Where to log in, once for each way to run the daemon."""
    served: tuple[Front, object] = request.getfixturevalue(f"{request.param}_front")
    return served[0]
