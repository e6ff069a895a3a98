"""Take a CSV file, check and write it step by step so that any worker can go on, give one."""

import csv
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, BinaryIO, Final

from django.db import transaction
from django.utils import timezone

from appliance.audit import services as audit
from appliance.audit.choices import Action
from appliance.routing import services
from appliance.routing.choices import ImportState
from appliance.routing.models import Account, ImportChunk, ImportJob
from appliance.routing.transfer import cells, reading
from appliance.routing.transfer.tables import ACCOUNTS, TABLES, Table

_FORGET_AFTER: Final = timedelta(days=1)
_STILL: Final = timedelta(seconds=30)
"""Much longer than a step takes: who works on a job that was not touched for so long has died."""
_WORKED_ON: Final = (ImportState.CHECKING, ImportState.RUNNING)
_EXPORTED_AT_ONCE: Final = 2_000


def take(kind: str, file: BinaryIO, author: str) -> ImportJob:
    """Keep a file, to be checked and then confirmed; nothing else is written. Raises NotATable."""
    old = ImportJob.objects.filter(created_at__lt=timezone.now() - _FORGET_AFTER)
    old.exclude(state__in=_WORKED_ON).delete()
    columns, pieces = reading.cut(TABLES[kind], file)
    job = ImportJob.objects.create(kind=kind, columns=columns, author=author)
    try:
        for number, piece in enumerate(pieces, start=1):
            ImportChunk.objects.create(
                job=job,
                number=number,
                first_line=piece.first_line,
                lines=piece.lines,
                content=piece.text,
                bad=[one.row for one in piece.bad],
            )
            job.chunks, job.lines = number, job.lines + piece.lines
    except reading.NotATable:
        job.delete()
        raise
    job.state = ImportState.CHECKING
    job.save()
    return job


def confirm(job: ImportJob) -> bool:
    """Release a checked file to be written; False if somebody has done so already."""
    released = _move(job, (ImportState.CHECKED,), ImportState.RUNNING)
    if released:
        audit.record(Action.IMPORTED, job, text=f"begun: {_counted(job)}")
    return released


def _counted(job: ImportJob) -> str:
    return f"{job.new} new, {job.changed} changed, {job.bad} wrong of {job.lines} lines"


def stop(job: ImportJob) -> bool:
    """Leave the rest of a file unwritten, for good; False if it is done."""
    stopped = _move(job, (*_WORKED_ON, ImportState.CHECKED), ImportState.STOPPED)
    if stopped:
        ImportChunk.objects.filter(job=job).update(content="")
    return stopped


def _move(job: ImportJob, come_from: tuple[str, ...], state: str) -> bool:
    waiting = ImportJob.objects.filter(pk=job.pk, state__in=come_from)
    return bool(waiting.update(state=state, touched_at=timezone.now()))


def standing_still() -> list[int]:
    """Give the jobs that somebody began to work on and does no more."""
    found = ImportJob.objects.filter(state__in=_WORKED_ON, touched_at__lt=timezone.now() - _STILL)
    return list(found.values_list("pk", flat=True))


def go_on(job_pk: int, for_s: float) -> bool:
    """Check or write for so long; tell whether more of the same is left to do."""
    until = time.monotonic() + for_s
    while time.monotonic() < until:
        if not step(job_pk):
            return False
    return True


def step(job_pk: int) -> bool:
    """Check or write one piece; False when nothing is left. Two at a time do no harm."""
    job = ImportJob.objects.filter(pk=job_pk, state__in=_WORKED_ON).first()
    if job is None:
        return False
    is_checked = job.state == ImportState.RUNNING
    number = (job.chunks_written if is_checked else job.chunks_checked) + 1
    chunk = ImportChunk.objects.filter(job=job, number=number).first()
    if chunk is None:
        end = ImportState.DONE if is_checked else ImportState.CHECKED
        if _move(job, (job.state,), end) and is_checked:
            audit.record(Action.IMPORTED, job, text=f"done: {_counted(job)}")
        return False
    found = _read(job, chunk)
    (_write if is_checked else _note)(job_pk, chunk, found)
    return True


def _read(job: ImportJob, chunk: ImportChunk) -> reading.Read:
    known = [reading.Bad(*row) for row in chunk.bad]
    piece = reading.Piece(chunk.first_line, chunk.lines, chunk.content.reveal(), known)
    return reading.read(TABLES[job.kind], job.columns, piece)


def _note(job_pk: int, chunk: ImportChunk, found: reading.Read) -> None:
    """Note what writing a piece would do, unless somebody else has."""
    batch = found.compare()
    with transaction.atomic():
        job = ImportJob.objects.select_for_update().get(pk=job_pk)
        if job.state != ImportState.CHECKING or job.chunks_checked != chunk.number - 1:
            return
        job.chunks_checked = chunk.number
        job.checked += chunk.lines
        job.new += len(batch.new)
        job.changed += len(batch.changed)
        job.unchanged += batch.unchanged
        job.bad += len(batch.bad)
        job.save()
        chunk.bad = [one.row for one in batch.bad]
        chunk.save(update_fields=["bad"])


def _write(job_pk: int, chunk: ImportChunk, found: reading.Read) -> None:
    """Write a piece and that it is written, unless somebody else has."""
    table = found.table
    with transaction.atomic():
        job = ImportJob.objects.select_for_update().get(pk=job_pk)
        if job.state != ImportState.RUNNING or job.chunks_written != chunk.number - 1:
            return
        batch = found.compare()
        table.rows.bulk_create(batch.new)
        if batch.changed:
            # an upsert: ten times as fast as bulk_update, which says every value as a CASE
            table.rows.bulk_create(
                batch.changed,
                update_conflicts=True,
                unique_fields=["pk"],
                update_fields=table.written,
            )
        table.finish([*batch.new, *batch.changed])
        _tell(table, batch)
        job.chunks_written = chunk.number
        job.done += chunk.lines
        # between checking and writing, others change what there is
        job.bad += len(batch.bad) - len(chunk.bad)
        job.save()
        chunk.content = ""
        chunk.bad = [one.row for one in batch.bad]
        chunk.save(update_fields=["content", "bad"])


def _tell(table: Table, batch: reading.Batch) -> None:
    """Count the change, so that nodes and the cache of passwords forget."""
    written = [*batch.new, *batch.changed]
    if table is ACCOUNTS and written:
        changed = Account.objects.filter(pk__in=[one.pk for one in batch.changed])
        services.touch_accounts(changed)
        services.bump_generation([one.login for one in written])
    elif written:
        services.bump_generation()


def bad_lines(job: ImportJob) -> Iterator[reading.Bad]:
    """Give every line that is left out, in order."""
    chunks = ImportChunk.objects.filter(job=job).exclude(bad=[]).order_by("number")
    for rows in chunks.values_list("bad", flat=True).iterator(chunk_size=100):
        for row in rows:
            yield reading.Bad(*row)


# --- out ------------------------------------------------------------------------------------------


class _Echo:
    """A file that gives back what is written to it."""

    def write(self, text: str) -> str:
        """Give it back."""
        return text


def export(table: Table) -> Iterator[str]:
    """Give a file of everything there is, some lines at a time, without hashes of passwords.

    The audit trail is told of it. Each time a query of its own, so that nothing is held open while
    the reader is slow.
    """
    audit.exported(table.kind, type(table.make()).objects.count())
    return _lines(table)


def _lines(table: Table) -> Iterator[str]:
    writer: Any = csv.writer(_Echo())
    yield writer.writerow(table.columns)
    last: Any = None
    while some := table.after(last, _EXPORTED_AT_ONCE):
        last = some[-1]
        yield "".join(
            writer.writerow([cells.escape(cell) for cell in table.line_of(one)]) for one in some
        )


def export_bad(job: ImportJob) -> Iterator[str]:
    """Give the lines that are left out as a file."""
    writer: Any = csv.writer(_Echo())
    yield writer.writerow(("line", "column", "reason"))
    for one in bad_lines(job):
        yield writer.writerow([cells.escape(str(cell)) for cell in one.row])
