"""``manage.py unlock``: let somebody sign in again who is locked out."""

from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from appliance.lib import lockouts


class Command(BaseCommand):
    """Forget failed sign-ins."""

    help = "Forget the failed sign-ins of a member of staff, so that he may try again at once."

    def add_arguments(self, parser: CommandParser) -> None:
        """Say who."""
        parser.add_argument("username")

    def handle(self, *args: Any, **options: Any) -> None:
        """Unlock."""
        user = get_user_model().objects.filter(username=options["username"]).first()
        if user is None:
            raise CommandError(f"There is no {options['username']} among the staff.")
        lockouts.unlock(user)
        self.stdout.write(f"{user} may try again.")
