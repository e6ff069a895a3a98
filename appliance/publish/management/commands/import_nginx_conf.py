"""Take an nginx.conf into the draft, as the admin's import page does."""

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from appliance.lib import files
from appliance.publish import enclosed, transfer
from appliance.publish.transfer import Mode


class Command(BaseCommand):
    """``manage.py import_nginx_conf``."""

    help = "Take the mail part of an nginx.conf into the draft. Nothing is published by it."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        parser.add_argument("file", help='path of the file; "-" is standard input')
        parser.add_argument(
            "--replace", action="store_true", help="what is not in the file goes from the draft"
        )
        parser.add_argument(
            "--certificates", metavar="DIR", help="directory with the PEM files it names"
        )
        parser.add_argument("--dry-run", action="store_true", help="say what would change, only")

    def handle(self, *_: Any, **options: Any) -> None:
        """Import, and say what changed and what was not taken."""
        name = options["file"]
        try:
            content = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        except OSError as fault:
            raise CommandError(files.unreadable(name, fault)) from None
        named = _files_in(options["certificates"])
        mode: Mode = "all" if options["replace"] else "add"
        work = transfer.preview if options["dry_run"] else transfer.take
        found = work(content.decode("utf-8", "surrogateescape"), mode, named)
        for remark in found.remarks:
            self.stderr.write(f"line {remark.line}: [{remark.level}] {remark.message}")
        for refusal in found.refusals:
            self.stderr.write(refusal)
        if not found.is_possible:
            raise CommandError("The file was not taken.")
        for change in found.changes:
            self.stdout.write(str(change))
        for change in found.lost:
            self.stderr.write(f"not taken: {change}")
        for problem in found.problems:
            self.stderr.write(f"to be mended before publishing: {problem}")


def _files_in(directory: str | None) -> enclosed.Files:
    """Give the PEM files of a directory and those below it."""
    if not directory:
        return {}
    root = Path(directory)
    if not root.is_dir():
        raise CommandError(f"{directory} is no directory. Give the one that holds the PEM files.")
    try:
        contents = {path.name: path.read_bytes() for path in root.rglob("*") if path.is_file()}
        return enclosed.check(
            {name: one for name, one in contents.items() if b"-----BEGIN " in one}
        )
    except OSError as fault:
        raise CommandError(files.unreadable(fault.filename or directory, fault)) from None
    except ValueError as fault:
        raise CommandError(f"{directory}: {fault}") from None
