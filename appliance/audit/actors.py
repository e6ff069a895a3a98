"""Who is at work: the member of staff of a request, a command, a task."""

import getpass
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest
from django.utils.decorators import sync_and_async_middleware

from appliance.audit.choices import ActorKind
from appliance.lib.clients import address_of


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody or something that changes things."""

    kind: ActorKind
    name: str
    address: str = ""


_current: Final[ContextVar[Callable[[], Actor] | None]] = ContextVar("audit_actor", default=None)


def current() -> Actor:
    """Say who is at work now."""
    find = _current.get()
    return find() if find is not None else _program()


@contextmanager
def acting_as(actor: Actor | Callable[[], Actor]) -> Iterator[None]:
    """Let what is done meanwhile be somebody's."""
    before = _current.set((lambda: actor) if isinstance(actor, Actor) else actor)
    try:
        yield
    finally:
        _current.reset(before)


def of_request(request: HttpRequest) -> Actor:
    """Say who makes a request."""
    user = getattr(request, "user", None)
    address = address_of(request)
    if user is None or not user.is_authenticated:
        return Actor(ActorKind.STRANGER, "", address)
    return Actor(ActorKind.STAFF, user.get_username(), address)


def of_user(user: Any, address: str = "") -> Actor:
    """Name a member of staff who is at work outside a request, on a WebSocket for instance."""
    return Actor(ActorKind.STAFF, user.get_username(), address)


def task_begins(task: Any, **_: Any) -> None:
    """Let what follows be a background task's."""
    actor = Actor(ActorKind.TASK, str(task.name).removeprefix("appliance."))
    _current.set(lambda: actor)


def task_ends(**_: Any) -> None:
    """The task is done."""
    _current.set(None)


def _program() -> Actor:
    """Name the program that runs: a command of manage.py, or whatever it is called."""
    program = Path(sys.argv[0]).name
    if program == "manage.py" and len(sys.argv) > 1:
        return Actor(ActorKind.COMMAND, f"manage.py {sys.argv[1]}")
    return Actor(ActorKind.SYSTEM, "system")


def at_the_shell() -> str:
    """Say which user of the machine runs the command that is at work; empty: no command is."""
    if current().kind is not ActorKind.COMMAND:
        return ""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a user id without a name
        user = f"user {os.getuid()}"
    before = os.environ.get("SUDO_USER", "")
    return f"{user} (sudo: {before})" if before else user


@sync_and_async_middleware
def actor_middleware(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Let what a request changes be its user's."""
    if iscoroutinefunction(get_response):

        async def answer(request: HttpRequest) -> Any:
            with acting_as(lambda: of_request(request)):
                return await get_response(request)

        return answer

    def answer_now(request: HttpRequest) -> Any:
        with acting_as(lambda: of_request(request)):
            return get_response(request)

    return answer_now
