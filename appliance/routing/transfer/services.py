"""Take a CSV file, write it in batches that can be gone on with, give one."""

import csv
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final, cast

from django.db import transaction
from django.utils import timezone

from appliance.routing import services
from appliance.routing.choices import ImportState
from appliance.routing.models import Account, ImportJob
from appliance.routing.transfer import cells, reading
from appliance.routing.transfer.tables import ACCOUNTS, TABLES, Table
from proxycore.contract.secret import Secret

_FORGET_AFTER: Final = timedelta(days=1)


def take(kind: str, content: Secret, author: str) -> tuple[ImportJob, reading.Report]:
    """Check a file and keep it until it is confirmed; nothing else is written. Raises NotATable."""
    report = reading.check(TABLES[kind], content.reveal())
    ImportJob.objects.filter(created_at__lt=timezone.now() - _FORGET_AFTER).delete()
    job = ImportJob.objects.create(
        kind=kind, content=content.reveal(), author=author, lines=report.total, bad=report.bad_count
    )
    return job, report


def confirm(job: ImportJob) -> bool:
    """Release a checked file to be written; False if somebody has done so already."""
    waiting = ImportJob.objects.filter(pk=job.pk, state=ImportState.CHECKED)
    return bool(waiting.update(state=ImportState.RUNNING))


def write(job_pk: int) -> None:
    """Write a confirmed file, or what is left of it. Two at a time do no harm."""
    job = ImportJob.objects.filter(pk=job_pk, state=ImportState.RUNNING).first()
    if job is None:
        return
    content = cast(Secret, job.content).reveal()
    for batch in reading.batches(TABLES[job.kind], content, skip=job.done):
        if not _write(job_pk, TABLES[job.kind], batch):
            return
    ImportJob.objects.filter(pk=job_pk).update(state=ImportState.DONE, content="")


@transaction.atomic
def _write(job_pk: int, table: Table, batch: reading.Batch) -> bool:
    """Write one batch and that it is written; False if somebody else has."""
    job = ImportJob.objects.select_for_update().get(pk=job_pk)
    if job.done >= batch.last:
        return False
    table.rows.bulk_create(batch.new)
    if batch.changed:
        table.rows.bulk_update(batch.changed, table.written, batch_size=100)
    written = [*batch.new, *batch.changed]
    if written and table is ACCOUNTS:
        logins = [one.login for one in written]
        services.touch_accounts(Account.objects.filter(login__in=logins))
        services.bump_generation(logins)
    elif written:
        services.bump_generation()
    ImportJob.objects.filter(pk=job_pk).update(done=batch.last)
    return True


class _Echo:
    """A file that gives back what is written to it."""

    def write(self, text: str) -> str:
        """Give it back."""
        return text


def export(table: Table) -> Iterator[str]:
    """Give a file of everything there is, line by line. Hashes of passwords are left out."""
    writer: Any = csv.writer(_Echo())
    yield writer.writerow(table.columns)
    related = ("mail_host", "verifier") if table is ACCOUNTS else ("mail_host",)
    for one in table.rows.select_related(*related).iterator(chunk_size=2000):
        yield writer.writerow([cells.escape(cell) for cell in table.line_of(one)])
