"""Command line of the benchmark: ``python -m tests.bench --short`` or ``--full``."""

import argparse
import json
import signal
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

from tests.bench import fleet, scale
from tests.bench.machine import REPOSITORY, Unfit, facts
from tests.bench.measure import FULL, SHORT, Contest, Measure, Scale
from tests.bench.measures import ALL
from tests.bench.pairs import abba
from tests.bench.programs import LoadFailed
from tests.bench.proxies import NGINX_TWIN
from tests.bench.report import Result, results_of, table
from tests.bench.rig import Rig
from tests.bench.scale import Check
from tests.bench.snapshots import EVERYTHING_ON
from tests.bench.surroundings import TLS_IS

Others = Callable[[Rig], Iterable[Check]]
"""Figures of ours alone."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run it. Exit status 1: an operation failed; 2: this machine or command cannot do it."""
    options = _options(argv)
    if options.list:
        for measure in ALL:
            print(f"{measure.name:<18} {measure.title}")
        return 0
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    try:
        chosen = _chosen(options.only)
        if options.control:
            chosen = [_against_twin(measure) for measure in chosen]
        if options.scale or options.fleet:
            chosen = []
        form = FULL if options.full else SHORT
        return _run(chosen, form, options.pairs, options.json, _others(options))
    except Unfit as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    except (LoadFailed, AssertionError) as error:
        print(f"bench: failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _end(number: int, _frame: FrameType | None) -> None:
    """End by an exception: the proxies are stopped on the way out."""
    raise SystemExit(128 + number)


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--short", action="store_true", help="about two minutes (the default)")
    form.add_argument("--full", action="store_true", help="about twenty minutes")
    parser.add_argument(
        "--only", action="append", default=[], metavar="NAME", help="measures beginning so"
    )
    parser.add_argument("--pairs", type=int, metavar="N", help="pairs of runs per contest")
    parser.add_argument(
        "--control", action="store_true", help="nginx against nginx: shows what is noise"
    )
    parser.add_argument(
        "--scale", action="store_true", help="only thousands of sessions at once; part of --full"
    )
    parser.add_argument(
        "--fleet", action="store_true", help="only what 50 nodes cost the control plane"
    )
    parser.add_argument(
        "--grown-up", action="store_true", help="with --fleet: on PostgreSQL and Redis of its own"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="where the figures go")
    parser.add_argument("--list", action="store_true", help="name the measures and stop")
    return parser.parse_args(argv)


def _others(options: argparse.Namespace) -> dict[str, Others]:
    """Give what is no contest, and asked for."""
    alone = options.scale or options.fleet
    everything = not (alone or options.only or options.control)
    others: dict[str, Others] = {}
    if options.scale or (everything and options.full):
        others["scale"] = scale.checks
    if options.fleet or everything:
        others["fleet"] = lambda _rig: fleet.checks(grown_up=options.grown_up)
    return others


def _chosen(only: Sequence[str]) -> list[Measure]:
    chosen = [m for m in ALL if not only or any(m.name.startswith(name) for name in only)]
    if not chosen:
        raise Unfit(f"no measure is named {' or '.join(only)}; --list names them")
    return chosen


def _against_twin(measure: Measure) -> Measure:
    return replace(measure, contests=(Contest("nginx", NGINX_TWIN),))


def _run(
    measures: Sequence[Measure],
    scale: Scale,
    pairs: int | None,
    path: Path | None,
    others: Mapping[str, Others],
) -> int:
    started = datetime.now(UTC)
    document: dict[str, Any] = {
        "started": started.isoformat(timespec="seconds"),
        "form": scale.name,
        "complete": False,
        "machine": {**facts(), "ours": EVERYTHING_ON, "tls": TLS_IS},
    }
    for name, fact in document["machine"].items():
        print(f"{name:<14} {fact}")
    path = path or REPOSITORY / "tests" / ".artefacts" / f"bench-{scale.name}.json"
    results: list[Result] = []
    try:
        with Rig() as rig:
            for measure in measures:
                for contest in measure.contests:
                    count = pairs or measure.pairs(scale)
                    results += _contest(rig, measure, contest, scale, count)
                    _keep(path, document, results)
            for name, ask in others.items():
                document[name] = _checked(name, ask(rig))
        document["complete"] = True
    finally:
        # also of a run that is ended early: what there is by then took minutes
        _keep(path, document, results)
        if results:
            print()
            print(table(results))
        print(f"\n{document['took_s']} s; figures in {path}", flush=True)
    return 0 if all(check["kept"] for name in others for check in document[name]) else 1


def _keep(path: Path, document: dict[str, Any], results: Sequence[Result]) -> None:
    """Write all figures there are so far, and their table beside them."""
    begun = datetime.fromisoformat(document["started"])
    document["took_s"] = round((datetime.now(UTC) - begun).total_seconds())
    document["results"] = [result.to_plain() for result in results]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    if results:
        path.with_suffix(".txt").write_text(table(results) + "\n", encoding="utf-8")


def _checked(name: str, found: Iterable[Check]) -> list[dict[str, Any]]:
    print(f"\n{name}", flush=True)
    plain = []
    for check in found:
        print(check, flush=True)
        plain.append(check.to_plain())
    return plain


def _contest(
    rig: Rig, measure: Measure, contest: Contest, scale: Scale, pairs: int
) -> list[Result]:
    figures: dict[str, list[dict[str, float]]] = {contest.peer: [], contest.candidate: []}
    print(f"\n{measure.title}: {contest.candidate} beside {contest.peer}", flush=True)
    begun = time.monotonic()
    for order in abba(contest.peer, contest.candidate, pairs):
        for name in order:
            figures[name].append(dict(measure.run(rig, name, scale)))
        print(".", end="", flush=True)
    print(f" {pairs} pairs in {time.monotonic() - begun:.0f} s", flush=True)
    return results_of(measure, contest, figures[contest.peer], figures[contest.candidate])


if __name__ == "__main__":
    sys.exit(main())
