"""The one way to start a task: it has a name, is kept alive, and its failure is told."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_running: set["asyncio.Task[Any]"] = set()
"""The event loop itself only keeps weak references to tasks."""


def spawn(work: Coroutine[Any, Any, T], *, name: str) -> "asyncio.Task[T]":
    """Run ``work`` beside the caller.

    A failure goes to the loop's exception handler (the supervisor writes it to the error log),
    unless whoever awaits the task has taken it by then.
    """
    task = asyncio.get_running_loop().create_task(work, name=name)
    _running.add(task)
    task.add_done_callback(_finished)
    return task


def _finished(task: "asyncio.Task[Any]") -> None:
    _running.discard(task)
    if task.cancelled():
        return
    failure = task.exception()
    if failure is not None:
        task.get_loop().call_exception_handler(
            {"message": f"task {task.get_name()} failed", "exception": failure, "task": task}
        )
