"""``manage.py load_example``: the worked example, ready for a first login."""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from appliance.publish.services import NotPublishable
from appliance.routing import example


class Command(BaseCommand):
    """Parse the addresses, call the service, say what was done."""

    help = "Load two mail hosts, routes (first letter a c f g, others) and three server blocks."

    def add_arguments(self, parser: CommandParser) -> None:
        """One option for each mail host."""
        for name in example.ADDRESSES:
            parser.add_argument(
                f"--{name}",
                metavar="IP[:IMAP,POP3,SMTP]",
                help=f"address and ports (default {example.ADDRESSES[name].address}:143,110,25)",
            )

    def handle(self, *args: Any, **options: Any) -> None:
        """Load and report."""
        try:
            given = {name: options[name] for name in example.ADDRESSES if options[name]}
            done = example.load({name: example.parse_place(text) for name, text in given.items()})
        except ValidationError as fault:
            raise CommandError("; ".join(fault.messages)) from None
        except (ValueError, NotPublishable) as fault:
            raise CommandError(str(fault)) from None
        for line in done or ["everything is there already"]:
            self.stdout.write(line)
