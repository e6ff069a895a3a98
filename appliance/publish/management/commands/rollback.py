"""Publish an earlier revision again, as the button does."""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from appliance.publish import services
from appliance.publish.models import ConfigRevision
from proxycore.contract.codec import Invalid


class Command(BaseCommand):
    """``manage.py rollback``."""

    help = "Publish the content of an earlier revision again, under a new number."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        parser.add_argument("revision", type=int, help="number of the revision")
        parser.add_argument("--note", default="", help="note for the others")
        parser.add_argument("--load-draft", action="store_true", help="let the draft say the same")

    def handle(self, *_: Any, **options: Any) -> None:
        """Roll back."""
        number = options["revision"]
        try:
            revision, is_new = services.roll_back(
                number, note=options["note"], load_draft=options["load_draft"]
            )
        except ConfigRevision.DoesNotExist:
            raise CommandError(f"There is no revision {number}.") from None
        except (Invalid, ValidationError) as fault:
            raise CommandError(f"Revision {number} is no longer valid: {fault}") from None
        said = f"has the content of revision {number}" if is_new else "is published already"
        self.stdout.write(f"{revision} {said}.")
