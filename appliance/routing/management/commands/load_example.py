"""``manage.py load_example``: the worked example, ready for a first login."""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from appliance.publish.services import NotPublishable
from appliance.routing import example


class Command(BaseCommand):
    """Parse the addresses, call the service, say what was done."""

    help = (
        "Load two mail hosts and two routes (logins that begin with a, c, f or g; everybody else),"
        " and server blocks when there are none. For trying Postroad out: --remove takes them away."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """One option for each mail host."""
        for name in example.ADDRESSES:
            parser.add_argument(
                f"--{name}",
                metavar="IP[:IMAP,POP3,SMTP]",
                help=f"address and ports (default {example.ADDRESSES[name].address}:143,110,25)",
            )
        parser.add_argument(
            "--remove", action="store_true", help="delete what was loaded, unless it is used"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Load or remove, and report."""
        if options["remove"]:
            for line in example.remove() or ["nothing of the example is there"]:
                self.stdout.write(line)
            return
        try:
            given = {name: options[name] for name in example.ADDRESSES if options[name]}
            done = example.load({name: example.parse_place(text) for name, text in given.items()})
        except ValidationError as fault:
            raise CommandError("; ".join(fault.messages)) from None
        except (ValueError, NotPublishable) as fault:
            raise CommandError(str(fault)) from None
        for line in done or ["everything is there already"]:
            self.stdout.write(line)
