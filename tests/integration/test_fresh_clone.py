"""A newcomer's first minutes: clone, ``make run``, log in."""

import os
import subprocess
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.support import cast, clients, require
from tests.support.appliance import Appliance
from tests.support.dovecot import Dovecot
from tests.support.proxycore import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def _pip_configuration() -> dict[str, str]:
    """Give where this machine's owner keeps pip's settings: a new HOME would hide them."""
    home = Path.home()
    for path in (home / ".config/pip/pip.conf", home / ".pip/pip.conf"):
        if path.exists() and "PIP_CONFIG_FILE" not in os.environ:
            return {"PIP_CONFIG_FILE": str(path)}
    return {}


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory: pytest.TempPathFactory) -> Generator[Appliance, None, None]:
    git, make = require.program("git"), require.program("make")
    clone = tmp_path_factory.mktemp("newcomer") / "postroad"
    options = ["-c", "safe.directory=*", "clone", "--quiet"]
    subprocess.run([git, *options, str(ROOT), str(clone)], check=True)
    appliance = Appliance(root=clone, command=[make, "run"], variables=_pip_configuration())
    try:
        appliance.start(within_s=600)
        yield appliance
    finally:
        appliance.close()


def test_make_run_says_where_everything_listens(newcomer: Appliance) -> None:
    for port in (newcomer.http_port, *newcomer.front.ports):
        assert newcomer.log_contains(str(port), within_s=20)


def test_the_first_login_works_as_the_readme_says(newcomer: Appliance, mailhost02: Dovecot) -> None:
    newcomer.load_example([mailhost02])
    user = f"{cast.ZOE}:{cast.PASSWORDS[cast.ZOE]}"
    done = clients.curl(f"imap://127.0.0.1:{newcomer.front.imap}/", "--user", user)
    assert done.returncode == 0, done.stderr
    assert b"INBOX" in done.stdout
    assert cast.ZOE in mailhost02.logins()
