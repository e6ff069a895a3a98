"""The numbers of the catalogue in Prometheus' text form, for ``/metrics`` of node and appliance.

The form is version 0.0.4 of it, which every collector reads. Composing it here, from the catalogue,
keeps the names of both ends the same.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from proxycore.contract.stats import BOUNDS_S, CATALOGUE, Stat, split_series

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

Labels = Mapping[str, str]


def exposition(
    values: Iterable[tuple[str, int, Labels]],
    histograms: Iterable[tuple[str, Sequence[int], Labels]],
) -> str:
    """Give the text of series by name, each with further labels such as the node's.

    Raises KeyError for a name that is none of the catalogue's.
    """
    rows: dict[str, list[str]] = {name: [] for name in CATALOGUE}
    for name, value, more in values:
        stat, labels = _labels(name, more)
        rows[stat.name].append(_line(stat.metric, labels, value))
    for name, histogram, more in histograms:
        stat, labels = _labels(name, more)
        rows[stat.name].extend(_histogram(stat.metric, labels, histogram))
    return "".join(
        family(stat.metric, stat.help, _kind(stat), rows[name])
        for name, stat in CATALOGUE.items()
        if rows[name]
    )


def family(metric: str, help_text: str, kind: str, rows: Iterable[str]) -> str:
    """Give a metric with its description. rows: as ``sample`` gives them."""
    text = help_text.replace("\\", r"\\").replace("\n", r"\n")
    return f"# HELP {metric} {text}\n# TYPE {metric} {kind}\n{''.join(rows)}"


def sample(metric: str, labels: Labels, value: float) -> str:
    """Give one line."""
    return _line(metric, labels, value)


def _kind(stat: Stat) -> str:
    return "gauge" if stat.gauge else "histogram" if stat.histogram else "counter"


def _labels(name: str, more: Labels) -> tuple[Stat, dict[str, str]]:
    stat, values = split_series(name)
    return stat, {**more, **dict(zip(stat.labels, values, strict=True))}


def _histogram(metric: str, labels: Labels, histogram: Sequence[int]) -> Iterable[str]:
    seen = 0
    for bound, count in zip((*map(str, BOUNDS_S), "+Inf"), histogram[:-1], strict=True):
        seen += count
        yield _line(f"{metric}_bucket", {**labels, "le": bound}, seen)
    yield _line(f"{metric}_sum", labels, histogram[-1] / 1_000_000)
    yield _line(f"{metric}_count", labels, seen)


def _line(metric: str, labels: Labels, value: float) -> str:
    pairs = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
    return f"{metric}{{{pairs}}} {value}\n" if pairs else f"{metric} {value}\n"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
