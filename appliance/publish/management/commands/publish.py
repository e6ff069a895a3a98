"""Publish the draft, as the button does."""

import time
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser

from appliance.publish import draft, queries, services, verdicts
from appliance.publish.draft import DraftProblem

_POLL_S: Final = 0.2


class Command(BaseCommand):
    """``manage.py publish``."""

    help = (
        "Have the nodes check the draft, and publish it. Exit status 1: it is not published, or"
        " with --dry-run could not be; 0 also when there is nothing to publish."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        parser.add_argument("--note", default="", help="note for the others")
        parser.add_argument("--dry-run", action="store_true", help="say what would change, only")
        parser.add_argument(
            "--despite", action="store_true", help="also when a node objects, or does not answer"
        )

    def handle(self, *_: Any, **options: Any) -> None:
        """Publish, and say what changes."""
        pending = queries.pending()
        for change in pending.changes:
            self.stdout.write(str(change))
        self._refuse(pending.problems)
        if options["dry_run"]:
            self._say_nothing_is_pending(pending)
            return
        try:
            self._ask(options["despite"])
            revision, is_new = services.publish(note=options["note"])
        except services.NotPublishable as fault:
            self._refuse(fault.problems)
            raise
        self.stdout.write(f"{revision} is {'published' if is_new else 'what is saved'}.")

    def _say_nothing_is_pending(self, pending: queries.Pending) -> None:
        active = queries.current()
        if not pending:
            what = f"revision {active.number} is what is saved" if active else "nothing is saved"
            self.stdout.write(f"Nothing to publish: {what}.")

    def _ask(self, despite: bool) -> None:
        """Wait until every connected node has looked at the draft."""
        services.ask_nodes(again=True)
        said = verdicts.current(draft.build())
        while not said.is_settled:
            time.sleep(_POLL_S)
            said = verdicts.current(draft.build())
        for one in said.objections:
            what = "; ".join(map(str, one.problems)) or "does not answer"
            self.stderr.write(f"{one.node.name}: {what}")
        if said.objections and not despite:
            raise CommandError("Not published: a node cannot take it. --despite publishes it.")

    def _refuse(self, problems: tuple[DraftProblem, ...]) -> None:
        for problem in problems:
            self.stderr.write(str(problem))
        if problems:
            raise CommandError("The draft cannot be published.")
