"""The appliance as a real process, as ``make run`` starts it, in a state directory of its own."""

import json
import os
import re
import signal
import sqlite3
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.dovecot import Dovecot
from tests.support.fronts import Front
from tests.support.ports import free_port
from tests.support.process import Program
from tests.support.proxycore import ROOT, environment, greets
from tests.support.shell import Shell
from tests.support.wait import eventually

ADMINISTRATOR = "operator"
ADMINISTRATOR_PASSWORD = "canary-7f3a9c-operator"


@dataclass(frozen=True)
class EnrolledNode:
    """A node as the appliance knows it, and its token."""

    name: str
    token: str


class Appliance(Program):
    """Daphne, Celery and one local node on free ports."""

    def __init__(
        self,
        *,
        root: Path = ROOT,
        command: Sequence[str] = (),
        variables: Mapping[str, str] | None = None,
    ) -> None:
        """Prepare an appliance.

        root: the checkout it runs from; another one brings its own ``.venv``.
        command: what starts it; ``manage.py run`` unless given.
        variables: further environment variables.
        """
        self.name = "appliance"
        self.root = root
        self.interpreter = sys.executable if root == ROOT else str(root / ".venv/bin/python")
        self._command = list(command) or [self.interpreter, str(root / "manage.py"), "run"]
        super().__init__()
        self._shell: Shell | None = None
        self.http_port = free_port()
        self.auth_port = free_port()
        self.front = Front.on_free_ports()
        self.secure = Front.on_free_ports()
        """Ports with TLS from the first octet."""
        self.state = self.directory / "var"
        self.variables = {
            "POSTROAD_STATE_DIR": str(self.state),
            "POSTROAD_LISTEN_ADDRESS": "127.0.0.1",
            "POSTROAD_HTTP_PORT": str(self.http_port),
            "POSTROAD_AUTH_LISTEN_PORT": str(self.auth_port),
            "POSTROAD_IMAP_PORT": str(self.front.imap),
            "POSTROAD_POP3_PORT": str(self.front.pop3),
            "POSTROAD_SMTP_PORT": str(self.front.smtp),
            "POSTROAD_IMAPS_PORT": str(self.secure.imap),
            "POSTROAD_POP3S_PORT": str(self.secure.pop3),
            "POSTROAD_SMTPS_PORT": str(self.secure.smtp),
            **(variables or {}),
        }

    @property
    def url(self) -> str:
        """Address of the admin, without a slash at the end."""
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def link_url(self) -> str:
        """Address of the control link."""
        return f"ws://127.0.0.1:{self.http_port}/ws/node/"

    @property
    def environment(self) -> Mapping[str, str]:
        """What the processes see."""
        kept = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
        return environment(
            PYTHONPATH=str(self.root), HOME=str(self.directory), **kept, **self.variables
        )

    def start(self, *, within_s: float = 60) -> None:
        """Run everything and wait until the local node greets mail clients."""
        self.launch_only()
        self.wait_for_port(self.http_port, within_s=within_s)
        for port in self.front.ports:
            self.wait_for_port(port, within_s=within_s)
        eventually(lambda: greets(self.front.imap), "the local node greets", within_s=30)

    def launch_only(self) -> None:
        """Run the command and wait for nothing."""
        self.launch(self._command, env=self.environment, cwd=self.root)

    def interrupt(self, *, within_s: float) -> int:
        """Press Ctrl-C, which reaches the whole foreground group, and give the exit status."""
        os.killpg(self.pid, signal.SIGINT)
        return self.wait(within_s=within_s)

    def one_time_password(self) -> str:
        """Give the administrator's password as printed at the first start."""
        found = re.search(r'Sign in as "admin" with the password (\S+)', self.log())
        assert found, self.log()
        return found.group(1)

    def manage(self, *arguments: str) -> str:
        """Run a management command and give what it printed."""
        return self._ask().manage(*arguments)

    def python(self, code: str, **variables: str) -> str:
        """Run code in a Django process on the appliance's database; give what it printed."""
        return self._ask().ask(code, variables)

    def close(self) -> None:
        """Stop everything, and remove the directory."""
        self._stop_asking()
        super().close()

    def make_administrator(self) -> None:
        """Create the administrator the tests sign in as."""
        self.python(
            "from django.contrib.auth import get_user_model\n"
            f"get_user_model().objects.create_superuser({ADMINISTRATOR!r}, '', "
            f"{ADMINISTRATOR_PASSWORD!r})"
        )

    def publish(self) -> None:
        """Publish the draft."""
        self.python("from appliance.publish import services\nservices.publish()")

    def use_auth_service(self, block: str, auth_http: str) -> None:
        """Let another auth_http service decide about a block's logins; takes a publish."""
        self.python(
            "from appliance.servers import services\n"
            "from appliance.servers.models import ServerBlock\n"
            f"block = ServerBlock.objects.get(name={block!r})\n"
            f"block.auth_service, block.auth_http = 'external', {auth_http!r}\n"
            "services.save_block(block)"
        )

    def enrol(self, name: str) -> EnrolledNode:
        """Enrol a node."""
        token = self.python(
            f"from appliance.fleet.services import nodes\nprint(nodes.enrol({name!r})[1].reveal())"
        )
        return EnrolledNode(name, token.strip())

    def node_is_up_to_date(self, name: str) -> bool:
        """Tell whether a node is seen now, on the active revision and routing generation."""
        answer = self.python(
            "from datetime import timedelta\n"
            "from django.utils import timezone\n"
            "from appliance.fleet.models import Node\n"
            "from appliance.publish.models import ConfigRevision\n"
            "from appliance.routing import queries\n"
            f"node = Node.objects.get(name={name!r})\n"
            "active = ConfigRevision.objects.get(is_active=True)\n"
            "print(node.applied_revision == active.number\n"
            "      and node.applied_digest == active.digest\n"
            "      and node.generation == queries.generation()\n"
            "      and timezone.now() - node.last_seen_at < timedelta(seconds=2))"
        )
        return answer.strip() == "True"

    def revoke_node(self, name: str) -> None:
        """Revoke a node's token."""
        self._with_node(name, "nodes.revoke(node)")

    def forget_node(self, name: str) -> None:
        """Delete a node."""
        self._with_node(name, "nodes.delete(node)")

    def _with_node(self, name: str, code: str) -> None:
        self.python(
            "from appliance.fleet.models import Node\n"
            "from appliance.fleet.services import nodes\n"
            f"node = Node.objects.get(name={name!r})\n{code}"
        )

    def load_example(self, hosts: Sequence[Dovecot], *, smtp_port: int = 25) -> None:
        """Load the policy of listing 15-2, its mail hosts being the given ones."""
        self.manage(
            "load_example",
            *(
                f"--{host.name}=127.0.0.1:{host.imap_port},{host.pop3_port},{smtp_port}"
                for host in hosts
            ),
        )

    def add_accounts(self, passwords: Mapping[str, str]) -> None:
        """Create accounts whose passwords the appliance verifies. Given by environment."""
        self.python(
            "import json, os\n"
            "from appliance.routing import services\n"
            "from appliance.routing.models import Account\n"
            "from proxycore.contract.secret import Secret\n"
            "for login, password in json.loads(os.environ['TEST_PASSWORDS']).items():\n"
            "    services.save_account(Account(login=login), password=Secret(password))",
            TEST_PASSWORDS=json.dumps(dict(passwords)),
        )

    def allow_auth_callers(
        self, header: str, secret: str, *, proxy_smtp_auth: bool = False
    ) -> None:
        """Let callers with this header secret use the auth view."""
        self.python(
            "import os\n"
            "from appliance.authhttp.models import CallerSecret\n"
            "known = CallerSecret.objects.filter(name='tests')\n"
            "caller = known.first() or CallerSecret(name='tests')\n"
            f"caller.header, caller.proxy_smtp_auth = {header!r}, {proxy_smtp_auth}\n"
            "caller.secret = os.environ['TEST_SECRET']\n"
            "caller.save()",
            TEST_SECRET=secret,
        )

    def database_dump(self) -> str:
        """Give the whole database as SQL text."""
        connection = sqlite3.connect(self.state / "db.sqlite3")
        try:
            return "\n".join(connection.iterdump())
        finally:
            connection.close()

    def log_files(self) -> list[Path]:
        """Console and whatever the processes write into the state directory."""
        return [*super().log_files(), *sorted(self.state.rglob("*.log"))]

    def _ask(self) -> Shell:
        """Give the process that is asked; another one when it would see another environment."""
        if self._shell is not None and self._shell.environment != self.environment:
            self._stop_asking()
        if self._shell is None:
            self._shell = Shell(self.interpreter, self.environment, self.directory)
        return self._shell

    def _stop_asking(self) -> None:
        if self._shell is not None:
            self._shell.close()
            self._shell = None


class WebOnly(Appliance):
    """Daphne alone, so that it can be stopped and started while a node lives on elsewhere."""

    def __init__(self, *, variables: Mapping[str, str] | None = None) -> None:
        """``variables``: further environment variables."""
        super().__init__(variables={"POSTROAD_AUTH_LISTEN_PORT": "0", **(variables or {})})
        self.name = "web"
        self._command = [
            *(self.interpreter, "-m", "daphne", "-v", "0"),
            *("-b", "127.0.0.1", "-p", str(self.http_port), "appliance.asgi:application"),
        ]

    def start(self, *, within_s: float = 60) -> None:
        """Migrate when that was not done, and run Daphne."""
        elsewhere = "POSTROAD_DATABASE_URL" in self.variables
        if not elsewhere and not (self.state / "db.sqlite3").exists():
            self.manage("migrate", "--verbosity", "0")
            self.python("from appliance.servers import services\nservices.create_default_blocks()")
        self.launch(self._command, env=self.environment, cwd=self.root)
        self.wait_for_port(self.http_port, within_s=within_s)
