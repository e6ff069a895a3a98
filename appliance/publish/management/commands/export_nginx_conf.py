"""Give the draft or a revision as nginx.conf, as the admin's export does."""

import io
import zipfile
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from appliance.audit import services as audit
from appliance.lib import files
from appliance.publish import conf, draft, queries, transfer
from appliance.publish.models import ConfigRevision
from appliance.publish.parts import part_of
from proxycore.contract.snapshot import Snapshot, groups_of


class Command(BaseCommand):
    """``manage.py export_nginx_conf``."""

    help = "Write the draft, or a revision, as nginx.conf. Secrets are left out and named."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        parser.add_argument("--revision", type=int, help="number; the draft unless given")
        parser.add_argument("--group", help="what nodes of this group run of it, and nothing else")
        parser.add_argument(
            "--directory", help="write nginx.conf there with its certificates, not to stdout"
        )

    def handle(self, *_: Any, **options: Any) -> None:
        """Export."""
        snapshot, title = _content(options["revision"])
        if options["group"]:
            snapshot, title = _part(snapshot, title, options["group"])
        audit.exported(f"{title} as nginx.conf")
        if options["directory"]:
            try:
                _unpack(transfer.archive(snapshot, title), Path(options["directory"]))
            except OSError as fault:
                raise CommandError(files.unwritable(options["directory"], fault)) from None
        else:
            self.stdout.write(conf.text(snapshot), ending="")
        for one in transfer.missing(snapshot):
            self.stderr.write(f"left out: {one}")


def _content(number: int | None) -> tuple[Snapshot, str]:
    if number is None:
        readable = draft.build().readable
        if readable is None:
            raise CommandError("The draft has settings that are wrong by themselves.")
        return readable, "The draft"
    revision = ConfigRevision.objects.filter(number=number).first()
    if revision is None:
        raise CommandError(f"There is no revision {number}.")
    return queries.readable(revision), str(revision)


def _part(snapshot: Snapshot, title: str, group: str) -> tuple[Snapshot, str]:
    if group not in groups_of(snapshot):
        raise CommandError(f"{title} has no server block for group {group}.")
    return part_of(snapshot, group), f"{title}, group {group}"


def _unpack(archive: bytes, directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(io.BytesIO(archive)) as packed:
        packed.extractall(directory)
