"""Make all connections of one look at a node, and say what they mean. Writes nothing."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from appliance.proof.choices import Verdict
from appliance.proof.client import Failed, Visit, look
from appliance.proof.targets import Reach, Shown, Target

AT_ONCE: Final = 16
"""Connections that are open at the same time."""

MOST_SAMPLES: Final = 16
_SAMPLES_FOR_EACH_WORKER: Final = 4


@dataclass(frozen=True, slots=True)
class Task:
    """A target, and how it is reached."""

    target: Target
    reach: Reach


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What is so at one target, for one kind of key."""

    target: Target
    kind: str
    expected: str
    verdict: Verdict
    seen: str = ""
    words: str = ""
    connections: int = 0


def samples(workers: int) -> int:
    """Give how often a socket is connected to at once: all workers accept from it, in any order."""
    return max(1, min(MOST_SAMPLES, _SAMPLES_FOR_EACH_WORKER * workers))


def look_at(tasks: Sequence[Task], workers: int) -> list[Finding]:
    """Connect to everything. Takes seconds where all goes well; bounded for each connection."""
    return asyncio.run(_look_at(tasks, workers))


async def _look_at(tasks: Sequence[Task], workers: int) -> list[Finding]:
    gate = asyncio.Semaphore(AT_ONCE)
    return list(
        await asyncio.gather(
            *(_find(task, shown, workers, gate) for task in tasks for shown in task.target.expected)
        )
    )


async def _find(task: Task, shown: Shown, workers: int, gate: asyncio.Semaphore) -> Finding:
    target, reach = task.target, task.reach
    found = partial(Finding, target=target, kind=shown.kind, expected=shown.leaf)
    if not reach.host:
        return found(verdict=Verdict.HIDDEN, words=reach.why_not)
    visit = Visit(
        host=reach.host,
        port=target.listen.port,
        protocol=target.server.protocol.value,
        is_implicit=target.is_implicit,
        is_proxied=target.listen.proxy_protocol,
        name=target.name,
        kind=shown.kind if len(target.expected) > 1 else "",
    )
    # the socket is the same for every name: workers are sampled where no name is asked for
    times = 1 if target.name else samples(workers)
    answers = await asyncio.gather(*(_visit(visit, gate) for _ in range(times)))
    verdict, seen, words = judge(shown, answers)
    return found(verdict=verdict, seen=seen, words=words, connections=times)


async def _visit(visit: Visit, gate: asyncio.Semaphore) -> tuple[str, ...] | str:
    async with gate:
        try:
            return await look(visit)
        except Failed as failure:
            return str(failure)


def judge(shown: Shown, answers: Sequence[tuple[str, ...] | str]) -> tuple[Verdict, str, str]:
    """Say what was found: verdict, fingerprint that was seen, and words.

    answers: fingerprints of a chain each, or why there are none.
    """
    chains = [answer for answer in answers if isinstance(answer, tuple)]
    failures = [answer for answer in answers if isinstance(answer, str)]
    if not chains:
        return Verdict.FAILED, "", failures[0]
    wrong = Counter(chain for chain in chains if chain != shown.fingerprints)
    if shown.leaf and wrong:
        chain, count = wrong.most_common(1)[0]
        often = "" if count == len(answers) else f" {count} of {len(answers)} connections saw it."
        if chain[0] == shown.leaf:
            return (
                Verdict.OTHER,
                chain[0],
                f"The certificate is right, its chain is another.{often}",
            )
        return Verdict.OTHER, chain[0], f"Another certificate is served.{often}"
    seen = chains[0][0]
    if failures:
        words = f"{len(failures)} of {len(answers)} connections failed. {failures[0]}"
        return Verdict.FAILED, seen, words
    if not shown.leaf:
        words = "The certificate is a file of the node, so nobody here knows what it should be."
        return Verdict.UNKNOWN, seen, words
    return Verdict.SERVED, seen, ""
