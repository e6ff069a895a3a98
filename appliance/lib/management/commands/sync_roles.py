"""``manage.py sync_roles``: the roles' groups as the table says."""

from typing import Any

from django.core.management.base import BaseCommand

from appliance.lib import roles


class Command(BaseCommand):
    """Done by ``migrate`` as well; safe to repeat."""

    help = "Give the groups Administrator, Operator and Help desk the permissions of their roles."

    def handle(self, *args: Any, **options: Any) -> None:
        """Sync, and say what roles there are."""
        roles.sync()
        for name, purpose in roles.ROLES.items():
            self.stdout.write(f"{name}: {purpose}")
