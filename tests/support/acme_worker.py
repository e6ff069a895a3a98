"""A worker that is killed: at each point where it has just heard the CA, once.

Run as a program, on the database of POSTROAD_STATE_DIR. For each step a process is forked, which
does the step and is killed by SIGKILL when an answer of the CA has arrived and nothing of it is
stored yet. The next process does the step again, and is killed one answer later, until the step
has lived through as many answers as it needs. ``kills.txt`` says what was killed where.
"""

import os
import signal
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import django

_DEADLINE_S = 60


def main(directory: Path) -> None:
    """Lead on everything there is, one killed process after the other."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "appliance.settings"
    django.setup()
    kills, done = directory / "kills.txt", directory / "done"
    kills.touch()
    signal.alarm(_DEADLINE_S)
    while not done.exists():
        child = os.fork()
        if not child:
            _one_life(kills, done)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) in (0, -signal.SIGKILL)


def _one_life(kills: Path, done: Path) -> None:
    from appliance.acme.models import Account, Order, Revocation
    from appliance.acme.services import accounts, orders, revocations

    work = ((Account, accounts.settle), (Order, orders.advance), (Revocation, revocations.send))
    for model, act in work:
        row: Any = model.objects.filter(next_at__isnull=False).order_by("pk").first()
        if row is not None:
            state = getattr(row, "state", "revoking")
            _die_at_the_next_answer(kills, f"{model.__name__} {state}")
            act(row.pk, _its_time(row))
            return
    done.touch()


def _its_time(row: Any) -> datetime:
    """Give when a row may be taken: the worker that held it is dead."""
    moments: list[datetime] = [one for one in (row.next_at, row.held_until) if one]
    return max(moments)


def _die_at_the_next_answer(kills: Path, what: str) -> None:
    import requests

    survived = kills.read_text().splitlines()
    send = requests.Session.request
    heard = 0

    def request(self: requests.Session, method: str, url: str, **options: Any) -> Any:
        nonlocal heard
        answer = send(self, method, url, **options)
        # nonces are refused by chance, and mean nothing
        if method == "POST" and answer.status_code < 400:
            heard += 1
            point = f"{what} {heard}"
            if point not in survived:
                with kills.open("a") as file:
                    file.write(f"{point}\n")
                os.kill(os.getpid(), signal.SIGKILL)
        return answer

    requests.Session.request = request  # type: ignore[assignment, method-assign]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
