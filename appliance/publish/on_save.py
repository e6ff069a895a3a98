"""Publish on save: what an operator saves is published by itself when he saves nothing more.

Every save that leaves another draft than before moves the moment on, so that ten of them in a row
are one revision and none is published half edited. Only what people with the permission have saved
is published: each save has to begin at the draft that the one before has left, or at what is
published (ADR-0030). Nodes are asked as by the Publish page.
"""

from datetime import timedelta
from typing import Final

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from appliance.audit import actors
from appliance.publish import draft, queries, services, verdicts
from appliance.publish.models import OnSave

PERMISSION: Final = "publish.publish_configrevision"
ROW: Final = 1

_STRANGE: Final = "the draft has changes that somebody else saved: look at them, then publish"


def settings() -> OnSave:
    """Give the one row there is."""
    return OnSave.objects.filter(pk=ROW).first() or OnSave(pk=ROW)


def is_on() -> bool:
    """Tell whether saving publishes."""
    return OnSave.objects.filter(pk=ROW, enabled=True).exists()


@transaction.atomic
def switch(enabled: bool, quiet_s: int) -> OnSave:
    """Turn it on or off. Raises ValidationError."""
    row = _locked()
    row.enabled, row.quiet_s = enabled, quiet_s
    row.full_clean()
    _settle(row, "")
    return row


@transaction.atomic
def note_save(user: User, before: str, after: str) -> None:
    """Note that a request made one draft another. Both are fingerprints (``Draft``)."""
    row = _locked()
    if not row.enabled or before == after:
        return
    active = queries.current()
    published = active.digest if active else ""
    if after == published:
        _settle(row, "")
    elif before not in {published, row.digest} - {""}:
        _settle(row, f"Not published by itself: {_STRANGE}.")
    else:
        now = timezone.now()
        row.saves = row.saves + 1 if row.digest else 1
        row.digest, row.author, row.said = after, user, ""
        row.due_at = now + timedelta(seconds=row.quiet_s)
        row.save()


def publish_due() -> None:
    """Publish what was saved, if it is time and every node that is there can take it."""
    row = OnSave.objects.filter(pk=ROW, enabled=True, due_at__lte=timezone.now()).first()
    if row is None:
        return
    now = draft.build()
    problem = _obstacle(row, now)
    if problem:
        _hold(row, problem)
        return
    services.ask_nodes()
    said = verdicts.current(now)
    if not said.is_settled:
        return
    if said.objections:
        names = ", ".join(one.node.name for one in said.objections[:3])
        _hold(row, f"{names} cannot take it, or does not answer")
        return
    _publish(row)


def _obstacle(row: OnSave, now: draft.Draft) -> str:
    """Say what stands in the way, whatever the nodes say."""
    if now.fingerprint != row.digest:
        return _STRANGE
    author = row.author
    if author is None or not author.is_active or not author.has_perm(PERMISSION):
        return "who saved it may not publish any more"
    if now.snapshot is None:
        return f"{now.problems[0]}" if now.problems else "the draft is not valid"
    return ""


@transaction.atomic
def _publish(waiting: OnSave) -> None:
    row = _locked()
    now = draft.build()
    if row.digest != waiting.digest or row.due_at != waiting.due_at:
        return
    if now.fingerprint != row.digest or row.author is None:
        return
    note = "Published on save" + (f", {row.saves} saves" if row.saves > 1 else "")
    with actors.acting_as(actors.of_user(row.author)):
        revision, is_new = services.publish(row.author, note)
    _settle(row, f"{revision} was published by itself." if is_new else "")


@transaction.atomic
def _hold(waiting: OnSave, why: str) -> None:
    """Wait for the next save, which may mend it, or for the button."""
    row = _locked()
    if row.digest == waiting.digest and row.due_at == waiting.due_at:
        row.due_at, row.said, row.said_at = None, f"Not published by itself: {why}.", timezone.now()
        row.said = row.said[:300]
        if why == _STRANGE:
            row.digest = ""
        row.save()


def _settle(row: OnSave, said: str) -> None:
    row.digest, row.due_at, row.author, row.saves = "", None, None, 0
    row.said, row.said_at = said[:300], timezone.now()
    row.save()


def _locked() -> OnSave:
    OnSave.objects.get_or_create(pk=ROW)
    return OnSave.objects.select_for_update().get(pk=ROW)
