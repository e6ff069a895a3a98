"""Workers killed by SIGKILL at every answer of the CA: nothing is lost, nothing is issued twice."""

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.support.pebble import Names, Pebble
from tests.support.ports import free_port
from tests.support.process import Program
from tests.support.proxycore import ROOT, environment
from tests.support.shell import Shell

SET_UP = """
from appliance.acme.models import Account, Issuance
from appliance.acme.services import accounts, issuances
account = accounts.save(Account(
    name="Pebble", directory_url={directory!r}, ca_bundle={bundle!r}, terms_agreed=True,
    contact=["ops@example.com"],
))
issuances.save(Issuance(name="mail", account=account, names=["mail.example.com"]))
"""
GO_ON = """
from appliance.acme.choices import Reason
from appliance.acme.models import Account, Variant
from appliance.acme.services import accounts, revocations
revocations.begin(Variant.objects.get(), Reason.SUPERSEDED, replace=True)
accounts.change_key(Account.objects.get())
"""
TELL = """
import json
from appliance.acme.models import Account, Challenge, Order, Revocation
from appliance.certs.models import Certificate
print(json.dumps({
    "orders": list(Order.objects.values_list("state", flat=True)),
    "account": Account.objects.get().state,
    "revoked": list(Revocation.objects.values_list("is_revoked", flat=True)),
    "answers": Challenge.objects.filter(is_present=True).count(),
    "certificates": list(Certificate.objects.values_list("name", "fingerprint")),
    "keys_left": Order.objects.exclude(private_key="").count(),
}))
"""


class Home(Program):
    """A state directory with a database in a file, and the pages that answer the CA."""

    name = "acme-home"

    def __init__(self) -> None:
        super().__init__()
        self.port = free_port()
        self.environment = environment(
            PYTHONPATH=str(ROOT),
            POSTROAD_STATE_DIR=str(self.directory / "var"),
            POSTROAD_HTTP_PORT=str(self.port),
        )
        self.shell = Shell(sys.executable, self.environment, self.directory)

    def start(self) -> None:
        """Make the database, then serve the pages."""
        self.shell.manage("migrate", "-v0")
        daphne = [sys.executable, "-m", "daphne", "-b", "127.0.0.1", "-p", str(self.port)]
        self.launch([*daphne, "appliance.asgi:application"], env=self.environment)
        self.wait_for_port(self.port)

    def close(self) -> None:
        """Stop everything, and remove the directory."""
        self.shell.close()
        super().close()

    def lead_on(self) -> list[str]:
        """Let killed workers do everything there is to do; give where they were killed."""
        (self.directory / "done").unlink(missing_ok=True)
        worker = [sys.executable, "-m", "tests.support.acme_worker", str(self.directory)]
        environment = dict(self.environment)
        done = subprocess.run(worker, env=environment, capture_output=True, timeout=90, check=False)
        assert done.returncode == 0, (done.stdout + done.stderr).decode()
        return (self.directory / "kills.txt").read_text().splitlines()


@pytest.fixture
def home() -> Iterator[Home]:
    with Home() as place:
        yield place


@pytest.mark.slow
def test_a_worker_killed_at_every_answer_loses_nothing(home: Home, names: Names) -> None:
    with Pebble(f"127.0.0.1:{names.port}", http_port=home.port) as pebble:
        home.shell.ask(SET_UP.format(directory=pebble.directory_url, bundle=pebble.authority.pem))
        kills = home.lead_on()
        assert {one.rpartition(" ")[0] for one in kills} == {
            "Account new",
            *(f"Order {state}" for state in ("wanted", "ordered", "prepared", "answered")),
            *(f"Order {state}" for state in ("ready", "finalized", "issued")),
        }
        first = json.loads(home.shell.ask(TELL))
        assert first["orders"] == ["done"]
        assert pebble.log().count("Issued certificate") == 1

        home.shell.ask(GO_ON)
        (home.directory / "kills.txt").unlink()
        kills = home.lead_on()
        assert {"Account rolling 1", "Revocation revoking 1", "Order finalized 1"} < set(kills)
        then = json.loads(home.shell.ask(TELL))
        assert pebble.log().count("Issued certificate") == 2
    assert then["orders"] == ["done", "done"]
    assert then["account"] == "valid"
    assert then["revoked"] == [True]
    assert (then["answers"], then["keys_left"]) == (0, 0)
    ((name, before),) = first["certificates"]
    ((same_name, after),) = then["certificates"]
    assert name == same_name
    assert before != after
