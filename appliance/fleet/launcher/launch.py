"""The order of a start and of a stop.

lock → web port free → migrate → mail ports free → bootstrap → programs → the web answers → where
the admin is → everything answers → what is listened on → … → SIGINT or SIGTERM → programs stop.
Nothing is started before all ports are known to be free, and nothing but the database is written.
"""

import asyncio
import signal
from collections.abc import Callable
from types import FrameType
from typing import Final

from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.management import call_command
from django.db import DatabaseError

from appliance.fleet.launcher import blocks, bootstrap, ports, probes, programs, welcome
from appliance.fleet.launcher.care import Keeper, stop_all
from appliance.fleet.launcher.lock import AlreadyRunning, NotWritable, StateLock
from appliance.lib.state import STATE_DIR_HELP

Say = Callable[[str], None]

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class CannotStart(Exception):
    """Nothing was started; the text says why and what to do."""


def launch(say: Say) -> None:
    """Run the appliance until it is told to stop. Raises CannotStart."""
    outcome = bootstrap.Outcome()

    def interrupt(number: int, frame: FrameType | None) -> None:
        # the exception is lost when it happens to be raised in a weak reference's callback
        outcome.is_interrupted = True
        raise KeyboardInterrupt

    for number in _SIGNALS:
        signal.signal(number, interrupt)
    try:
        with StateLock(settings.STATE_DIR):
            try:
                _prepare(outcome, say)
                asyncio.run(_run(outcome, say))
            finally:
                # also when the start was cut short: it cannot be shown later
                welcome.show_password(outcome, say)
    except AlreadyRunning as error:
        raise CannotStart(
            f"Postroad is already running on {settings.STATE_DIR} (process {error})."
            " A second one needs its own POSTROAD_STATE_DIR and ports."
        ) from None
    except NotWritable as error:
        raise CannotStart(f"{error}. {STATE_DIR_HELP} Nothing was started.") from None


def _prepare(outcome: bootstrap.Outcome, say: Say) -> None:
    own = programs.doors()
    _demand(ports.complaints(own))
    try:
        call_command("migrate", verbosity=0, interactive=False)
    except DatabaseError as error:
        raise CannotStart(f"The database cannot be used: {error}") from None
    doors = blocks.doors()
    changeable = [door for door in doors if door.variable]
    _demand([*ports.clashes(own, doors), *ports.complaints(changeable)])
    for complaint in ports.complaints(door for door in doors if not door.variable):
        say(complaint)
    outcome.password = bootstrap.create_administrator()
    if not blocks.create():
        outcome.notes += blocks.follow_environment()
    outcome.notes += filter(None, [bootstrap.enrol_local_node(), bootstrap.unreadable()])
    for note in outcome.notes:
        say(note)
    outcome.boot_before = bootstrap.local_boot()


def _demand(complaints: list[str]) -> None:
    if complaints:
        raise CannotStart("\n".join([*complaints, "Nothing was started."]))


async def _run(outcome: bootstrap.Outcome, say: Say) -> None:
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    for number in _SIGNALS:
        loop.add_signal_handler(number, told.set)
    if outcome.is_interrupted:
        return
    keepers = [
        Keeper(program, say)
        for program in programs.all_programs(bootstrap.node_dir(), bootstrap.token_file())
    ]
    say("Starting …")
    async with asyncio.TaskGroup() as group:
        caring = {
            keeper: group.create_task(_keep(keeper), name=keeper.program.name) for keeper in keepers
        }
        telling = group.create_task(_welcome(outcome, say), name="welcome")
        try:
            await told.wait()
            say("Stopping …")
        finally:
            telling.cancel()
            for keeper, care in caring.items():
                if not keeper.pid:  # not started yet, or waiting to be started again
                    care.cancel()
            await stop_all(keepers)
    say("Stopped.")


async def _keep(keeper: Keeper) -> None:
    if keeper.program.calls_web:
        answers = probes.web_answers(programs.door())
        await probes.wait_for([("web", answers)], probes.WEB_PATIENCE_S)
    await keeper.keep()


async def _welcome(outcome: bootstrap.Outcome, say: Say) -> None:
    missing = await probes.wait_for([("the web interface", probes.web_answers(programs.door()))])
    await sync_to_async(welcome.show_admin)(outcome, say)
    missing += await probes.wait_for(
        [
            *(("the auth service", probes.auth_answers(one)) for one in programs.auth_doors()),
            ("the local node", probes.node_has_answered(bootstrap.LOCAL_NODE, outcome.boot_before)),
        ]
    )
    found = await sync_to_async(welcome.look)()
    missing += await probes.wait_for(
        [(door.purpose, probes.mail_answers(door)) for door in found.doors]
    )
    welcome.show_listeners(found, missing, say)
