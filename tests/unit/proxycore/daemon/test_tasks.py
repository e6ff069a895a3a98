"""A task's failure is told, and a task is kept alive."""

import asyncio
import gc
from typing import Any

from proxycore.daemon.tasks import spawn


def test_a_failure_is_told_with_the_tasks_name() -> None:
    told: list[dict[str, Any]] = []

    async def fail() -> None:
        raise ValueError("broken")

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
        spawn(fail(), name="the one that fails")
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    asyncio.run(main())
    assert [context["message"] for context in told] == ["task the one that fails failed"]


def test_a_task_nobody_holds_is_not_collected() -> None:
    async def main() -> bool:
        done = asyncio.Event()

        async def wait_for_nobody() -> None:
            # held by the loop only through this future, which is part of a cycle
            await asyncio.sleep(0.01)
            done.set()

        spawn(wait_for_nobody(), name="unheld")
        await asyncio.sleep(0)
        gc.collect()
        async with asyncio.timeout(5):
            return await done.wait()

    assert asyncio.run(main())


def test_cancelling_is_no_failure() -> None:
    told: list[dict[str, Any]] = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
        task = spawn(asyncio.sleep(60), name="cancelled")
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.sleep(0)

    asyncio.run(main())
    assert told == []
