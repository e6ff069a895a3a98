"""``manage.py run``: the whole appliance on one machine."""

import os
import signal
import sys
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
            self.stderr.write("Stopped.")
            raise SystemExit(128 + signal.SIGINT) from None

    def _say(self, line: str) -> None:
        try:
            self.stdout.write(line)
            self.stdout.flush()
        except OSError:
            # The terminal, or whoever read our output, is gone. That is no reason to fall over: the
            # programs still have to be kept, and stopped in order.
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, sys.stdout.fileno())
            os.close(nothing)
