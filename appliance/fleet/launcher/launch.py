"""The order of a start and of a stop.

lock → web port free → migrate → mail ports free → bootstrap → programs → everything answers →
banner → … → SIGINT or SIGTERM → programs stop. Nothing is started before all ports are known to be
free, and nothing but the database is written.
"""

import asyncio
import signal
from collections.abc import Callable

from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.management import call_command

from appliance.fleet.launcher import blocks, bootstrap, ports, probes, programs
from appliance.fleet.launcher.care import Keeper, stop_all
from appliance.fleet.launcher.lock import AlreadyRunning, StateLock
from appliance.fleet.launcher.ports import Door

Say = Callable[[str], None]


class CannotStart(Exception):
    """Nothing was started; the text says why and what to do."""


def launch(say: Say) -> None:
    """Run the appliance until it is told to stop. Raises CannotStart."""
    try:
        with StateLock(settings.STATE_DIR):
            outcome = _prepare(say)
            try:
                asyncio.run(_run(outcome, say))
            finally:
                # also when the start was cut short: it cannot be shown later
                _show_password(outcome, say)
    except AlreadyRunning as error:
        raise CannotStart(
            f"Postroad is already running on {settings.STATE_DIR} (process {error})."
            " A second one needs its own POSTROAD_STATE_DIR and ports."
        ) from None


def _prepare(say: Say) -> bootstrap.Outcome:
    _demand_free([programs.door(), *programs.auth_doors()])
    call_command("migrate", verbosity=0, interactive=False)
    doors = blocks.doors()
    own = [programs.door(), *programs.auth_doors()]
    _demand_free([*own, *(door for door in doors if door.variable)])
    for complaint in ports.complaints(door for door in doors if not door.variable):
        say(complaint)
    outcome = bootstrap.Outcome(password=bootstrap.create_administrator())
    if not blocks.create():
        outcome.notes += blocks.follow_environment()
    outcome.notes += filter(None, [bootstrap.enrol_local_node()])
    for note in outcome.notes:
        say(note)
    return outcome


def _demand_free(doors: list[Door]) -> None:
    complaints = ports.complaints(doors)
    if complaints:
        raise CannotStart("\n".join([*complaints, "Nothing was started."]))


async def _run(outcome: bootstrap.Outcome, say: Say) -> None:
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, told.set)
    keepers = [
        Keeper(program, say)
        for program in programs.all_programs(bootstrap.node_dir(), bootstrap.token_file())
    ]
    say("Starting …")
    async with asyncio.TaskGroup() as group:
        caring = {
            keeper: group.create_task(_keep(keeper), name=keeper.program.name) for keeper in keepers
        }
        welcome = group.create_task(_welcome(outcome, say), name="welcome")
        await told.wait()
        say("Stopping …")
        welcome.cancel()
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
    doors = await sync_to_async(blocks.doors)()
    missing = await probes.wait_for(
        [
            ("the web interface", probes.web_answers(programs.door())),
            *(("the auth service", probes.auth_answers(one)) for one in programs.auth_doors()),
            ("the local node", probes.node_runs(bootstrap.LOCAL_NODE)),
            *((door.purpose, probes.mail_answers(door)) for door in doors),
        ]
    )
    if missing:
        say(f"Still waiting for an answer of {', '.join(missing)}: see the lines above.")
    say("")
    say("Postroad is listening:" if not missing else "Postroad is to listen on:")
    say(f"  Admin             {programs.base_url('http')}/admin/")
    for door in doors:
        say(f"  {door.purpose.removeprefix('Server block '):<17} {door.shown}")
    say(f"  State             {settings.STATE_DIR}")
    _show_password(outcome, say)
    say("Ctrl-C stops everything.")
    say("")


def _show_password(outcome: bootstrap.Outcome, say: Say) -> None:
    if outcome.password is not None:
        say(
            f'  Sign in as "{bootstrap.ADMINISTRATOR}" with the password'
            f" {outcome.password.reveal()} (shown only now; change it in the admin)"
        )
        outcome.password = None
