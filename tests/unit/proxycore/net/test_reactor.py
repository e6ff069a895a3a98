"""The reactor by itself, on socket pairs."""

import os
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from proxycore.net.reactor import BROKEN, READ, WRITE, Reactor
from tests.unit.proxycore.net.house import open_fds

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def reactor() -> Iterator[Reactor]:
    before = open_fds()
    it = Reactor(tick_s=0.01)
    yield it
    it.shut()
    assert open_fds() == before


@pytest.fixture
def pair() -> Iterator[Callable[[], Pair]]:
    made: list[socket.socket] = []

    def make() -> Pair:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        made.extend((ours, theirs))
        return ours, theirs

    yield make
    for sock in made:
        sock.close()


def test_a_handler_is_called_as_long_as_there_is_something_to_read(
    reactor: Reactor, pair: Callable[[], Pair]
) -> None:
    ours, theirs = pair()
    calls: list[tuple[int, int]] = []
    reactor.watch(ours.fileno(), READ, lambda fd, events: calls.append((fd, events)))
    reactor.step(0)
    assert calls == []
    theirs.send(b"x")
    reactor.step(1)
    reactor.step(1)
    assert calls == [(ours.fileno(), READ)] * 2
    reactor.change(ours.fileno(), WRITE)
    reactor.step(1)
    assert calls[-1] == (ours.fileno(), WRITE)
    reactor.forget(ours.fileno())
    reactor.step(0)
    assert len(calls) == 3


def test_the_end_of_the_other_side_is_told_even_when_nothing_is_waited_for(
    reactor: Reactor, pair: Callable[[], Pair]
) -> None:
    ours, theirs = pair()
    events: list[int] = []
    reactor.watch(ours.fileno(), 0, lambda _fd, found: events.append(found))
    theirs.close()
    reactor.step(1)
    assert events[0] & BROKEN


def test_a_descriptor_closed_by_one_handler_is_not_handed_to_its_own(
    reactor: Reactor, pair: Callable[[], Pair]
) -> None:
    (first, wakes_first), (second, wakes_second) = pair(), pair()
    called: list[int] = []

    def close_other(fd: int, _events: int) -> None:
        called.append(fd)
        other = second if fd == first.fileno() else first
        reactor.close(other.detach())

    reactor.watch(first.fileno(), READ, close_other)
    reactor.watch(second.fileno(), READ, close_other)
    wakes_first.send(b"x")
    wakes_second.send(b"x")
    reactor.step(1)
    assert len(called) == 1


def test_a_number_is_not_used_again_within_the_round_that_closed_it(
    reactor: Reactor, pair: Callable[[], Pair]
) -> None:
    ours, theirs = pair()
    reused: list[bool] = []

    def close(fd: int, _events: int) -> None:
        reactor.close(ours.detach())
        new = os.dup(theirs.fileno())
        reused.append(new == fd)
        os.close(new)

    reactor.watch(ours.fileno(), READ, close)
    number = ours.fileno()
    theirs.send(b"x")
    reactor.step(1)
    assert reused == [False]
    assert number not in open_fds()


def test_a_bug_in_a_handler_is_told_once_and_the_others_run(
    reactor: Reactor, pair: Callable[[], Pair]
) -> None:
    (bad, wakes_bad), (good, wakes_good) = pair(), pair()
    bugs: list[Exception] = []
    reactor.on_bug = bugs.append
    calls: list[int] = []
    reactor.watch(bad.fileno(), READ, lambda _fd, _events: {}["no such key"])
    reactor.watch(good.fileno(), READ, lambda fd, _events: calls.append(fd))
    wakes_bad.send(b"x")
    wakes_good.send(b"x")
    reactor.step(1)
    reactor.step(1)
    assert [type(bug) for bug in bugs] == [KeyError]
    assert len(calls) == 2


def test_a_bug_in_a_timer_or_a_wake_up_does_not_stop_the_others(reactor: Reactor) -> None:
    bugs: list[Exception] = []
    reactor.on_bug = bugs.append
    done: list[str] = []
    reactor.call_later(0, lambda: 1 / 0)
    reactor.call_later(0, lambda: done.append("timer"))
    reactor.wake(lambda: 1 / 0)
    reactor.wake(lambda: done.append("wake"))
    for _ in range(20):
        reactor.step(0.01)
    assert sorted(done) == ["timer", "wake"]
    assert len(bugs) == 2


def test_timers_fire_in_order_after_the_handlers_of_their_round(
    reactor: Reactor, pair: Callable[[], Pair]
) -> None:
    ours, theirs = pair()
    order: list[str] = []
    reactor.watch(ours.fileno(), READ, lambda _fd, _events: order.append("handler"))
    reactor.call_later(0.6, lambda: order.append("second"))
    reactor.call_later(0.3, lambda: order.append("first"))
    theirs.send(b"x")
    reactor.step(1)
    assert order == ["handler"]
    ours.recv(1)
    while "second" not in order:
        reactor.step(1)
    assert order == ["handler", "first", "second"]


def test_run_ends_when_another_thread_asks_for_it(reactor: Reactor) -> None:
    thread = threading.Thread(target=lambda: reactor.wake(reactor.stop))
    reactor.call_later(20, lambda: pytest.fail("was not woken"))
    thread.start()
    reactor.run()
    thread.join()


def test_a_watch_can_be_handed_over(reactor: Reactor, pair: Callable[[], Pair]) -> None:
    ours, theirs = pair()
    calls: list[str] = []
    reactor.watch(ours.fileno(), READ, lambda _fd, _events: calls.append("old"))
    reactor.hand_over(ours.fileno(), lambda _fd, _events: calls.append("new"))
    theirs.send(b"x")
    reactor.step(1)
    assert calls == ["new"]
