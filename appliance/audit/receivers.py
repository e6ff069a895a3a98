"""Notes every change of a watched model, and who signs in: the one place where the trail is fed.

Signals, so that no service, form or command can forget it. What is written past them
(``QuerySet.update``, ``bulk_create``) is written down by the service that does so.
"""

from typing import Any, Final

from axes.signals import user_locked_out
from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.db.models import Model, QuerySet
from django.db.models.signals import m2m_changed, post_delete, post_save, pre_save
from django.http import HttpRequest

from appliance.audit import actors, services, values
from appliance.audit.choices import Action, ActorKind
from appliance.audit.watched import WATCHED
from appliance.lib import lockouts

_BEFORE: Final = "_audit_before"
_NAMED: Final = 20
_NOBODY: Final = "a name that nobody has"


def connect() -> None:
    """Listen to the watched models and to sign-ins."""
    for label in WATCHED:
        app, _, name = label.partition(".")
        try:
            model = apps.get_model(app, name)
        except LookupError:
            continue
        pre_save.connect(note_before, sender=model, dispatch_uid=f"audit.before.{label}")
        post_save.connect(note_saved, sender=model, dispatch_uid=f"audit.saved.{label}")
        post_delete.connect(note_deleted, sender=model, dispatch_uid=f"audit.deleted.{label}")
        for field in model._meta.local_many_to_many:  # noqa: SLF001  (documented)
            through = getattr(model, field.name).through
            m2m_changed.connect(note_members, sender=through, dispatch_uid=f"audit.{through}")
    user_logged_in.connect(note_sign_in, dispatch_uid="audit.in")
    user_logged_out.connect(note_sign_out, dispatch_uid="audit.out")
    user_login_failed.connect(note_failure, dispatch_uid="audit.failed")
    user_locked_out.connect(note_lock, dispatch_uid="audit.locked")
    lockouts.unlocked.connect(note_unlock, dispatch_uid="audit.unlocked")


def note_before(sender: type[Model], instance: Model, raw: bool, **more: Any) -> None:
    """Look at what is about to be replaced, unless nothing watched is."""
    is_new = instance._state.adding  # noqa: SLF001  (documented interface to an instance)
    if raw or is_new or not _concerns(sender, more.get("update_fields")):
        return
    rows: Any = sender._base_manager  # noqa: SLF001  (documented: leaves no row out)
    instance.__dict__[_BEFORE] = rows.filter(pk=instance.pk).first()


def note_saved(sender: type[Model], instance: Model, created: bool, raw: bool, **_: Any) -> None:
    """Write down what was added, or what is different."""
    before = instance.__dict__.pop(_BEFORE, None)
    if raw:
        return
    watched = WATCHED[services.label_of(sender)]
    if created:
        found = [(name, "", text) for name, text in values.contents(instance, watched)]
        _record(Action.ADDED, instance, found)
    elif before is not None:
        found = values.changes(before, instance, watched)
        if found:
            _record(Action.CHANGED, instance, found)


def note_deleted(sender: type[Model], instance: Model, origin: Any, **_: Any) -> None:
    """Write down what went, unless it went with what it was a part of."""
    watched = WATCHED[services.label_of(sender)]
    source = origin.model if isinstance(origin, QuerySet) else type(origin)
    if watched.owner and source is not sender:
        return
    found = [(name, text, "") for name, text in values.contents(instance, watched)]
    _record(Action.DELETED, instance, found)


def note_members(
    instance: Any, action: str, reverse: bool, model: Any, pk_set: set[int] | None, **_: Any
) -> None:
    """Write down what became a member of what, or no longer is: roles, permissions, groups."""
    if action == "pre_clear":
        return
    if action not in ("post_add", "post_remove") or not pk_set:
        return
    names = sorted(str(one) for one in model.objects.filter(pk__in=pk_set))
    named = ", ".join(names) if len(names) <= _NAMED else f"{len(names)} of them"
    what = str(model._meta.verbose_name_plural)  # noqa: SLF001
    change = (what, "", named) if action == "post_add" else (what, named, "")
    services.record(Action.CHANGED, instance, changes=[change])


def note_sign_in(request: HttpRequest | None, user: Any, **_: Any) -> None:
    """Write down who came in."""
    services.record(Action.SIGNED_IN, user, actor=_at(request, user))


def note_sign_out(request: HttpRequest | None, user: Any, **_: Any) -> None:
    """Write down who left."""
    if user is not None:
        services.record(Action.SIGNED_OUT, user, actor=_at(request, user))


def note_failure(credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any) -> None:
    """Write down who was refused. A name that nobody has is not kept: it may be a password."""
    if getattr(request, "axes_locked_out", False):
        return  # said once, by note_lock
    model = get_user_model()
    typed = str(credentials.get(model.USERNAME_FIELD) or "")
    user = model.objects.filter(**{model.USERNAME_FIELD: typed}).first()
    actor = actors.of_request(request) if request is not None else actors.current()
    stranger = actors.Actor(ActorKind.STRANGER, "", actor.address)
    services.record(Action.SIGN_IN_FAILED, user, name="" if user else _NOBODY, actor=stranger)


def note_lock(request: HttpRequest, username: str, **_: Any) -> None:
    """Write down that somebody has to wait now; not each time he tries meanwhile."""
    if getattr(request, "axes_failures_since_start", 0) != settings.AXES_FAILURE_LIMIT:
        return
    user = get_user_model().objects.filter(username=username).first()
    stranger = actors.Actor(ActorKind.STRANGER, "", actors.of_request(request).address)
    text = f"after {settings.AXES_FAILURE_LIMIT} failed sign-ins"
    name = "" if user else _NOBODY
    services.record(Action.LOCKED_OUT, user, name=name, text=text, actor=stranger)


def note_unlock(user: Any, **_: Any) -> None:
    """Write down who let somebody try again."""
    services.record(Action.UNLOCKED, user)


def _at(request: HttpRequest | None, user: Any) -> actors.Actor:
    address = actors.of_request(request).address if request is not None else ""
    return actors.of_user(user, address)


def _record(action: Action, instance: Model, found: list[values.Change]) -> None:
    watched = WATCHED[services.label_of(instance)]
    owner = getattr(instance, watched.owner, None) if watched.owner else None
    services.record(action, instance, changes=found, owner=owner)


def _concerns(sender: type[Model], updated: Any) -> bool:
    """Tell whether a write touches anything that is watched."""
    if updated is None:
        return True
    watched = {field.name for field in values.fields_of(sender, WATCHED[services.label_of(sender)])}
    return bool(watched & set(updated))
