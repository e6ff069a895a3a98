"""Encrypt everything that is stored anew, with the newest key (ADR-0010).

Every ``EncryptedTextField`` of every app is found by itself; an app that keeps tokens elsewhere
registers how to renew them.
"""

from collections.abc import Callable
from typing import Any, Final

from django.apps import apps
from django.conf import settings
from django.db import models, transaction

from appliance.lib import state, vault
from appliance.lib.fields import EncryptedTextField, Unreadable

Renew = Callable[[], int]

_others: Final[dict[str, Renew]] = {}
_listeners: Final[list[Callable[[str], object]]] = []


def register(name: str, renew: Renew) -> None:
    """Let an app renew tokens that are in no ``EncryptedTextField``; it gives how many."""
    _others[name] = renew


def on_rotation(listener: Callable[[str], object]) -> None:
    """Be told in words when keys are added or dropped."""
    _listeners.append(listener)


def _tell(what: str) -> None:
    for listener in _listeners:
        listener(what)


def renew_all() -> dict[str, int]:
    """Encrypt every stored secret with the newest key; give how many there were by name.

    Raises vault.Undecryptable; what was done before stays done, and a second run does the rest.
    """
    done = {}
    for model in apps.get_models():
        options = model._meta  # noqa: SLF001  (Django's documented interface to a model)
        for field in options.concrete_fields:
            if isinstance(field, EncryptedTextField):
                done[f"{options.label}.{field.name}"] = _renew(model, field.name)
    for name, renew in _others.items():
        done[name] = renew()
    return done


def _renew(model: type[models.Model], name: str) -> int:
    rows: Any = model._base_manager  # noqa: SLF001  (documented too: leaves no row out)
    count = 0
    for pk in list(rows.order_by("pk").values_list("pk", flat=True)):
        # one row at a time: whoever writes meanwhile waits for one, and nothing of his is lost
        with transaction.atomic():
            row = rows.select_for_update().filter(pk=pk)
            secret = row.values_list(name, flat=True).first()
            if isinstance(secret, Unreadable):
                raise vault.unreadable()
            if secret:
                row.update(**{name: secret})
                count += 1
    return count


def add_key() -> None:
    """Put a new key on top of the file. It encrypts once every process was started again."""
    state.add_key(settings.SECRET_KEY_FILE)
    _tell("a new encryption key was added")


def drop_old_keys() -> int:
    """Keep the newest key only, having encrypted everything with it; give how many went."""
    renew_all()
    dropped = state.keep_newest_key(settings.SECRET_KEY_FILE)
    _tell(f"everything was encrypted with the newest key; {dropped} older keys were dropped")
    return dropped
