"""Slow work waits in a bounded queue."""

from threading import Event

import pytest

from appliance.credentials.queues import Full, WorkQueue


def test_what_is_beyond_the_queue_is_refused_at_once_and_counted() -> None:
    queue = WorkQueue("test", threads=1, waiting=2)
    gate = Event()
    try:
        begun = [queue.submit(gate.wait) for _ in range(3)]
        assert queue.open_count == 3
        with pytest.raises(Full):
            queue.submit(gate.wait)
        assert queue.refused == 1
        gate.set()
        assert all(one.result(10) for one in begun)
        assert queue.submit(lambda: 7).result(10) == 7
    finally:
        gate.set()
        queue.close()
    assert queue.open_count == 0


def test_work_that_fails_leaves_its_place() -> None:
    queue = WorkQueue("test", threads=1, waiting=0)
    try:
        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                queue.submit(lambda: 1 // 0).result(10)
    finally:
        queue.close()
    assert queue.open_count == 0
