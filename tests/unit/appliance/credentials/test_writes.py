"""Writes that no login waits for."""

from threading import Event, current_thread

from appliance.credentials import writes as module
from appliance.credentials.writes import Writes


def test_before_it_is_started_it_writes_at_once() -> None:
    done: list[str] = []
    Writes().do(lambda: done.append(current_thread().name))
    assert done == [current_thread().name]


def test_started_it_writes_in_a_thread_and_finishes_before_it_stops() -> None:
    done: list[str] = []
    writes = Writes()
    writes.start()
    writes.start()
    gate = Event()
    writes.do(lambda: done.append(str(gate.wait(10))))
    writes.do(lambda: done.append(current_thread().name))
    assert done == []
    gate.set()
    writes.stop()
    assert done == ["True", "auth_writes-0"]
    writes.stop()


def test_what_is_too_much_is_dropped() -> None:
    writes = Writes()
    writes.start()
    gate, running, done = Event(), Event(), []

    def block() -> None:
        running.set()
        gate.wait(10)

    writes.do(block)
    assert running.wait(10)
    for number in range(module.MAX_WAITING + 5):
        writes.do(lambda number=number: done.append(number))  # type: ignore[misc]
    gate.set()
    writes.stop()
    assert done == list(range(module.MAX_WAITING))


def test_a_write_that_fails_does_not_end_the_thread() -> None:
    done: list[int] = []
    writes = Writes()
    writes.start()
    writes.do(lambda: done.append(1 // 0))
    writes.do(lambda: done.append(1))
    writes.stop()
    assert done == [1]
