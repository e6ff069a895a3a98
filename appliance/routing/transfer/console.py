"""CSV in and out from a shell: what the commands of accounts and routes have in common."""

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser

from appliance.lib import files
from appliance.routing.choices import ImportState
from appliance.routing.models import ImportJob
from appliance.routing.transfer import reading, services
from appliance.routing.transfer.tables import TABLES

_SAID_AFTER_LINES: Final = 50_000


class ImportCommand(BaseCommand):
    """Check a file, then write it, with progress; interrupted, the appliance goes on with it."""

    kind = ""

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        parser.add_argument("file", help='path of the CSV file; "-" is standard input')
        parser.add_argument("--dry-run", action="store_true", help="say what would change, only")
        parser.add_argument(
            "--skip-bad", action="store_true", help="import the other lines when some are wrong"
        )

    def handle(self, *_: Any, **options: Any) -> None:
        """Import; exit status 1 when lines are wrong, and nothing is written unless skip_bad."""
        job = self._take(options["file"])
        try:
            self._work(job)
            self.stdout.write(
                f"{job.new} new, {job.changed} changed, {job.unchanged} as they are,"
                f" {job.bad} wrong"
            )
            for bad in services.bad_lines(job):
                self.stderr.write(str(bad))
            if job.bad and not options["skip_bad"]:
                raise CommandError("Some lines are wrong; nothing is written.")
        finally:
            if options["dry_run"] or (job.bad and not options["skip_bad"]):
                job.delete()
        if not options["dry_run"]:
            services.confirm(job)
            self._work(job)
            self.stdout.write(f"{job.lines - job.bad} {self.kind} are imported.")

    def _take(self, name: str) -> ImportJob:
        with ExitStack() as stack:
            file: BinaryIO = sys.stdin.buffer
            try:
                if name != "-":
                    file = stack.enter_context(Path(name).open("rb"))
                return services.take(self.kind, file, "manage.py")
            except OSError as fault:
                raise CommandError(files.unreadable(name, fault)) from None
            except reading.NotATable as fault:
                raise CommandError(f"{name}: {fault}") from None

    def _work(self, job: ImportJob) -> None:
        job.refresh_from_db()
        word = "checked" if job.state == ImportState.CHECKING else "written"
        said = 0
        while services.step(job.pk):
            job.refresh_from_db()
            reached = job.checked if word == "checked" else job.done
            if reached - said >= _SAID_AFTER_LINES:
                said = reached
                self.stderr.write(f"{reached} of {job.lines} lines {word}")
        job.refresh_from_db()


class ExportCommand(BaseCommand):
    """Write everything there is as CSV."""

    kind = ""

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        parser.add_argument("--output", help="path of the file; standard output unless given")

    def handle(self, *_: Any, **options: Any) -> None:
        """Export."""
        parts = services.export(TABLES[self.kind])
        if not options["output"]:
            for part in parts:
                self.stdout.write(part, ending="")
            return
        try:
            with Path(options["output"]).open("w", encoding="utf-8", newline="") as file:
                file.writelines(parts)
        except OSError as fault:
            raise CommandError(files.unwritable(options["output"], fault)) from None
