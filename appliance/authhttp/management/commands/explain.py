"""Say where a login would go, and why, as the admin's page does."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from appliance.authhttp import explain
from appliance.authhttp.forms import ExplainForm
from appliance.authhttp.lines import BAD
from appliance.servers.models import Listener
from proxycore.contract.protocol import Protocol


class Command(BaseCommand):
    """``manage.py explain``."""

    help = "Say where a login would go, and why. No password; exit status 1 if it is refused."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        parser.add_argument("login")
        names = [one.value for one in Protocol]
        parser.add_argument("--protocol", choices=names, default=Protocol.IMAP.value)
        parser.add_argument("--address", default="", help="of the client; any unless given")
        parser.add_argument("--listener", default="", help="address and port, for instance *:143")
        parser.add_argument("--clear", action="store_true", help="without TLS")

    def handle(self, *_: Any, **options: Any) -> None:
        """Explain."""
        form = ExplainForm(
            {
                "login": options["login"],
                "protocol": options["protocol"],
                "client_ip": options["address"],
                "listener": _listener(options["listener"]),
                "tls": "off" if options["clear"] else "on",
            }
        )
        if not form.is_valid():
            raise CommandError(
                "; ".join(f"{name}: {said}" for name, all_ in form.errors.items() for said in all_)
            )
        found = explain.explain(form.asked())
        for stage in found.stages:
            self.stdout.write(f"{stage.title}:")
            for line in stage.lines:
                self.stdout.write(f"  {line.text}{f' ({line.why})' if line.why else ''}")
        if found.tone == BAD:
            raise CommandError(found.verdict)
        self.stdout.write(found.verdict)


def _listener(name: str) -> int | None:
    if not name:
        return None
    known = {str(one): one.pk for one in Listener.objects.all()}
    if name not in known:
        raise CommandError(f"There is no listener {name}. There are: {', '.join(known)}.")
    return known[name]
