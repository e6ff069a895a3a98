"""Charts: axes, gaps, units, and which lines there are."""

from datetime import UTC, datetime, timedelta

import pytest

from appliance.stats import charts, drawing
from appliance.stats.charts import BYTES, COUNT, PER_SECOND, SECONDS, Chart, Lens, Line, Table
from appliance.stats.frames import SPANS, Frame
from appliance.stats.numbers import Numbers

NOW = datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)
STEP = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (None, COUNT, "–"),
        (0, PER_SECOND, "0/s"),
        (0.0166, PER_SECOND, "0.017/s"),
        (17.25, PER_SECOND, "17.2/s"),
        (20_000, COUNT, "20,000"),
        (0.0042, SECONDS, "4.2 ms"),
        (30.0, SECONDS, "30 s"),
        (1536, BYTES, "1.5 KB/s"),
        (3 * 1024**3, BYTES, "3 GB/s"),
    ],
)
def test_values_are_short_and_have_their_unit(value: float, unit: str, text: str) -> None:
    assert drawing.shown(value, unit) == text


@pytest.mark.parametrize("unit", [COUNT, PER_SECOND, SECONDS, BYTES])
@pytest.mark.parametrize("top", [0.0003, 0.9, 1, 3, 99, 1025, 5_000_000, 7e12])
def test_an_axis_is_round_and_holds_everything(top: float, unit: str) -> None:
    axis = drawing.axis([0.0, top], unit)
    assert axis.top >= top
    assert axis.top <= max(2 * top, 4 if unit == COUNT else 0)
    assert 2 <= len(axis.ticks) <= 6
    texts = [drawing.shown(tick, unit, like=axis.top) for tick in axis.ticks]
    assert len(set(texts)) == len(texts)


def test_a_gap_is_a_gap_and_a_lonely_value_a_dot() -> None:
    line = Line("a <b>", [1.0, 2.0, None, 3.0, None, 4.0, 5.0])
    starts = [NOW + STEP * i for i in range(7)]
    svg = drawing.draw(Chart("x", "X", COUNT, [line]), starts, STEP)
    assert svg.count("<polyline") == 2
    assert svg.count("<circle") == 1
    assert "<b>" not in svg


def test_a_chart_of_nothing_says_so() -> None:
    svg = drawing.draw(Chart("x", "X", COUNT, [Line("a", [None, None])]), [NOW, NOW + STEP], STEP)
    assert "Nothing was counted" in svg


@pytest.mark.parametrize("span", SPANS.values(), ids=str)
def test_every_span_has_a_few_times_below_it(span) -> None:
    starts = span.starts(NOW)
    assert len(starts) == span.count
    ticks = drawing.time_ticks(starts, span.step)
    assert 3 <= len(ticks) <= 12
    assert len({text for _, text in ticks}) == len(ticks)


def frame(**counts: int) -> Frame:
    numbers = {f"logins{{server={name}}}": count for name, count in counts.items()}
    return Frame(Numbers(numbers), 10.0)


def test_lines_are_the_largest_and_the_rest_together() -> None:
    many = {f"b{i:02}": 10 * (i + 1) for i in range(12)}
    frames = [frame(**many), None, frame(b00=10)]
    lens = Lens(charts.SERVER_FAMILY, lambda labels: labels[0])
    logins = charts.compared(charts.grouped(frames, lens), {})[0]
    assert [line.name for line in logins.lines] == [
        *(f"b{i:02}" for i in range(11, 3, -1)),
        "4 others",
    ]
    assert logins.lines[0].values == [12.0, None, 0.0]
    assert logins.lines[-1].values == [10.0, None, 1.0]


def test_failed_logins_are_told_apart_by_cause() -> None:
    numbers = Numbers(
        {
            "logins{server=a}": 100,
            "login_failures{server=a}": 20,
            "sessions_closed{server=a,reason=done}": 90,
            "sessions_closed{server=a,reason=login_failed}": 20,
            "sessions_closed{server=a,reason=auth_timeout}": 10,
            "sessions_closed{server=a,reason=backend_refused}": 30,
            "sessions_closed{server=a,reason=backend_rejected}": 40,
        }
    )
    found = charts.overall(Table([Frame(numbers, 10.0)], Lens(charts.SERVER_FAMILY, lambda _: "")))
    assert [(line.name, line.values) for line in found[0].lines] == [
        ("Good", [10.0]),
        ("Refused", [2.0]),
        ("Refused by mail server", [4.0]),
        ("Auth service away", [1.0]),
        ("Mail server failed", [3.0]),
    ]
    ends = [line.name for line in found[-1].lines]
    assert ends[:2] == ["Ended as usual", "Mail server refused the password"]
