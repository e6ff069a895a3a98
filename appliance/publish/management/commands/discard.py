"""Let the draft say what is published, as the button does."""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from appliance.publish import queries, services
from proxycore.contract.codec import Invalid


class Command(BaseCommand):
    """``manage.py discard``."""

    help = "Discard the draft: it says what the published revision says."

    def handle(self, *_: Any, **__: Any) -> None:
        """Discard."""
        active = queries.current()
        if active is None:
            raise CommandError("Nothing is published.")
        try:
            services.load_into_draft(active.number)
        except (Invalid, ValidationError) as fault:
            raise CommandError(f"{active} cannot be loaded: {fault}") from None
        self.stdout.write(f"The draft says what revision {active.number} says.")
