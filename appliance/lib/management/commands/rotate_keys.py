"""``manage.py rotate_keys``: a new encryption key, and everything stored encrypted with it."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from appliance.lib import files, rotation
from appliance.lib.vault import Undecryptable


class Command(BaseCommand):
    """Parse, call, say what was done and what comes next."""

    help = (
        "Encrypt every stored secret with the newest key of the key file. In three steps:"
        " --new adds a key; restart every process of the appliance; then --drop-old encrypts"
        " everything with it and removes the older ones. Without an option nothing is added or"
        " removed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """One step at a time."""
        steps = parser.add_mutually_exclusive_group()
        steps.add_argument("--new", action="store_true", help="add a new key and do no more")
        steps.add_argument(
            "--drop-old", action="store_true", help="encrypt everything, then drop older keys"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Do one step."""
        try:
            self._do(options)
        except Undecryptable as fault:
            raise CommandError(str(fault)) from None
        except OSError as fault:
            path = settings.SECRET_KEY_FILE
            raise CommandError(files.unwritable(path, fault)) from None

    def _do(self, options: dict[str, Any]) -> None:
        if options["new"]:
            rotation.add_key()
            self.stdout.write(
                "A new key is in the file. Restart every process of the appliance, then run"
                " rotate_keys --drop-old."
            )
            return
        if options["drop_old"]:
            dropped = rotation.drop_old_keys()
            self.stdout.write(f"Everything is encrypted with the newest key; {dropped} dropped.")
            return
        for name, count in rotation.renew_all().items():
            self.stdout.write(f"{name}: {count}")
