"""Records on their way to the appliance: bounded, counted, none lost that found room."""

import asyncio
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from proxycore.contract.messages import Records, from_frame
from proxycore.daemon.history import MAX_BATCH_BYTES, MAX_BATCH_RECORDS, Batch, History
from proxycore.daemon.tasks import spawn


class Told:
    """The error log."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __call__(self, level: str, message: str) -> None:
        assert level == "warn"
        self.lines.append(message)


def lines(*numbers: int, size: int = 0) -> bytes:
    return b"".join(b'{"n":%d,"x":"%b"}\n' % (n, b"x" * size) for n in numbers)


def read(batch: Batch | None) -> Records:
    assert batch is not None
    message: Any = from_frame(json.loads(batch.frame))
    assert isinstance(message, Records)
    assert message.number == batch.number
    return message


def numbers(records: tuple[dict[str, Any], ...]) -> list[int]:
    return [record["n"] for record in records]


def test_a_batch_is_the_same_until_it_is_taken() -> None:
    history = History("b", Told())
    assert history.batch() is None
    history.put_sessions(lines(1, 2))
    history.put_logins(lines(3))
    first = read(history.batch())
    assert (numbers(first.sessions), numbers(first.logins)) == ([1, 2], [3])
    history.put_sessions(lines(4))
    assert read(history.batch()) == first
    history.taken("b", 7)
    history.taken("other", 1)
    assert read(history.batch()) == first
    history.taken("b", 1)
    second = read(history.batch())
    assert (second.number, numbers(second.sessions)) == (2, [4])
    history.taken("b", 1)
    assert read(history.batch()) == second
    history.taken("b", 2)
    assert history.batch() is None


def test_a_full_queue_drops_what_comes_and_counts_it() -> None:
    told = Told()
    history = History("b", told, most_bytes=1000)
    history.put_sessions(lines(1, size=900))
    history.put_sessions(lines(2, 3, size=900))
    history.put_logins(lines(4, size=900), dropped=2)
    assert history.dropped == 5
    assert told.lines == ["session records wait for the appliance: some are dropped"]
    batch = read(history.batch())
    assert (numbers(batch.sessions), batch.dropped) == ([1], 5)
    history.taken("b", 1)
    assert told.lines[1:] == ["5 session records were dropped since the start"]
    history.put_sessions(lines(6))
    assert numbers(read(history.batch()).sessions) == [6]


def test_what_a_worker_had_to_drop_is_counted_without_any_line() -> None:
    history = History("b", Told())
    history.put_sessions(b"", dropped=3)
    assert history.dropped == 3
    assert history.batch() is None


@given(
    st.lists(
        st.tuples(st.booleans(), st.integers(1, 400), st.sampled_from([0, 300, 5000])),
        max_size=12,
    )
)
def test_all_that_found_room_arrives_once_in_bounded_frames(
    puts: list[tuple[bool, int, int]],
) -> None:
    history = History("b", Told(), most_bytes=2**40)
    put: dict[bool, list[int]] = {True: [], False: []}
    last = 0
    for are_sessions, count, size in puts:
        added = range(last, last + count)
        last += count
        put[are_sessions] += added
        (history.put_sessions if are_sessions else history.put_logins)(lines(*added, size=size))
    arrived: dict[bool, list[int]] = {True: [], False: []}
    for frame in history.rest():
        message = from_frame(json.loads(frame))
        assert isinstance(message, Records)
        assert 0 < len(message.sessions) + len(message.logins) <= MAX_BATCH_RECORDS
        assert len(frame) <= MAX_BATCH_BYTES + 6000
        arrived[True] += numbers(message.sessions)
        arrived[False] += numbers(message.logins)
    assert arrived == put
    assert not history.is_behind


def test_who_waits_is_woken() -> None:
    async def story() -> None:
        history = History("b", Told())
        waiting = spawn(history.changed(), name="waiting")
        await asyncio.sleep(0)
        assert not waiting.done()
        history.put_logins(lines(1))
        await asyncio.wait_for(waiting, 5)
        history.batch()
        history.taken("b", 1)
        await asyncio.wait_for(history.changed(), 5)

    asyncio.run(story())
