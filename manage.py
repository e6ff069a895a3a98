#!/usr/bin/env python3
"""Postroad's commands: ``run``, ``migrate``, ``load_example`` and Django's own."""

import os
import signal
import sys


def main() -> None:
    """Run the command named on the command line."""
    # until everything is loaded there is nothing to clean up: Ctrl-C just ends this process
    interrupted = signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "appliance.settings")
    try:
        import django
    except ModuleNotFoundError:
        sys.exit("This Python lacks what Postroad runs on: make setup, then .venv/bin/python")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
    from django.db.utils import OperationalError, ProgrammingError

    try:
        django.setup()
    except ImproperlyConfigured as mistake:
        sys.exit(str(mistake))
    try:
        if sys.argv[1:2] != ["run"]:  # which listens to signals itself
            signal.signal(signal.SIGINT, interrupted)
        execute_from_command_line(sys.argv)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    except (OperationalError, ProgrammingError) as fault:
        if "--traceback" in sys.argv:
            raise
        sys.exit(
            f"The database cannot be used: {str(fault).splitlines()[0]}\n"
            "manage.py migrate makes its tables; POSTROAD_DATABASE_URL says where it is."
            " --traceback tells more."
        )


if __name__ == "__main__":
    main()
