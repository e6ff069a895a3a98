"""A run that is ended early keeps the figures it has by then."""

import json
from pathlib import Path

import pytest

from tests.bench import __main__ as bench
from tests.bench.measure import SHORT, Measure, Metric
from tests.bench.measures import ALL
from tests.bench.rig import Rig


class NoRig:
    """Runs nothing."""

    def __enter__(self) -> "NoRig":
        return self

    def __exit__(self, *_problem: object) -> None:
        """Leave nothing behind."""


def test_figures_of_finished_contests_survive_an_early_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(_rig: Rig, name: str, _scale: object) -> dict[str, float]:
        runs.append(name)
        if len(runs) > 2:
            raise SystemExit(143)  # as the handler of TERM does
        return {"cpu": 2.0 if name == contest.peer else 1.0}

    runs: list[str] = []
    contest = ALL[0].contests[0]
    works = [
        Measure(name=name, title=name, metrics=(Metric("cpu", "us"),), contests=(contest,), run=run)
        for name in ("first", "second")
    ]
    monkeypatch.setattr(bench, "Rig", NoRig)
    path = tmp_path / "figures.json"
    with pytest.raises(SystemExit):
        bench._run(works, SHORT, 1, path, {})
    kept = json.loads(path.read_text())
    assert kept["complete"] is False
    assert [(one["measure"], one["ratio"]["median"]) for one in kept["results"]] == [("first", 0.5)]
    assert "first" in path.with_suffix(".txt").read_text()
