"""``manage.py run``: the whole appliance on one machine."""

import contextlib
from typing import Any

from django.core.management.base import BaseCommand

from appliance.fleet.launcher import launch


class Command(BaseCommand):
    """Start everything, keep it running, stop it on Ctrl-C."""

    help = "Migrate, then run web server, Celery worker, Celery beat and one local node."
    requires_system_checks: list[str] = []  # noqa: RUF012  (Django's own form)

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until told to stop."""
        try:
            launch.launch(self._say)
        except launch.CannotStart as reason:
            self.stderr.write(str(reason))
            raise SystemExit(1) from None
        except KeyboardInterrupt:
            self.stderr.write("Stopped before anything was started.")
            raise SystemExit(130) from None

    def _say(self, line: str) -> None:
        # the reader of our output may be gone; that is no reason to fall over
        with contextlib.suppress(BrokenPipeError):
            self.stdout.write(line)
            self.stdout.flush()
