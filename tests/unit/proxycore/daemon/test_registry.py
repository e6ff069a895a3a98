"""What is told of live sessions adds up to what there is."""

from hypothesis import given
from hypothesis import strategies as st

from proxycore.contract.session import SessionBytes, SessionRecord
from proxycore.daemon import registry as module
from proxycore.daemon.registry import Registry


def record(session: str) -> SessionRecord:
    return SessionRecord(
        session=session,
        server="imap",
        protocol="imap",
        user="alice",
        client="127.0.0.1",
        client_port=4711,
        listen="127.0.0.1:1143",
        backend="127.0.0.1:143",
        started_at=0.0,
    )


def counted(session: str, octets: int) -> SessionBytes:
    return SessionBytes(session=session, bytes_to_front=octets, bytes_to_back=0)


class Told:
    """The other end: what somebody knows who hears every message."""

    def __init__(self) -> None:
        self.sessions: dict[str, int] = {}

    def hear(self, registry: Registry) -> None:
        for message in registry.take():
            if message.full:
                self.sessions.clear()
            for opened in message.opened:
                self.sessions[opened.session] = opened.bytes_to_front
            for count in message.counted:
                self.sessions[count.session] = count.bytes_to_front
            for closed in message.closed:
                del self.sessions[closed]


def test_the_first_message_is_the_whole_list_also_when_it_is_empty() -> None:
    messages = list(Registry("b").take())
    assert [(m.full, m.opened) for m in messages] == [(True, ())]


def test_nothing_new_is_no_message() -> None:
    registry = Registry("b")
    list(registry.take())
    assert list(registry.take()) == []


def test_a_worker_that_dies_takes_its_sessions_and_no_other() -> None:
    registry, told = Registry("b"), Told()
    registry.update(1, [record("a"), record("b")], [], [])
    registry.update(2, [record("c")], [], [])
    told.hear(registry)
    assert registry.forget_worker(1) == 2
    told.hear(registry)
    assert set(told.sessions) == {"c"}


def test_sessions_are_found_by_the_worker_that_holds_them() -> None:
    registry = Registry("b")
    registry.update(1, [record("a")], [], [])
    registry.update(2, [record("c"), record("d")], [], [])
    assert registry.workers_of(["a", "c", "unknown", "d"]) == {1: ["a"], 2: ["c", "d"]}


def test_a_session_opened_and_closed_between_two_messages_is_not_told() -> None:
    registry = Registry("b")
    list(registry.take())
    registry.update(1, [record("a")], [], [])
    registry.update(1, [], [counted("a", 5)], ["a"])
    assert list(registry.take()) == []


def test_a_backlog_becomes_one_whole_list() -> None:
    registry = Registry("b", max_waiting=10)
    list(registry.take())
    registry.update(1, [record(str(i)) for i in range(11)], [], [])
    registry.update(1, [], [], [str(i) for i in range(9)])
    (message,) = registry.take()
    assert message.full
    assert [r.session for r in message.opened] == ["9", "10"]


def test_a_long_list_is_cut_into_messages_of_which_the_first_starts_over() -> None:
    registry = Registry("b")
    count = module.PER_FRAME * 2 + 1
    registry.update(1, [record(str(i)) for i in range(count)], [], [])
    messages = list(registry.take())
    assert [(m.full, len(m.opened)) for m in messages] == [
        (True, module.PER_FRAME),
        (False, module.PER_FRAME),
        (False, 1),
    ]


_ACTS = st.lists(
    st.tuples(
        st.sampled_from(["open", "count", "close", "hear", "die", "full"]), st.integers(0, 5)
    ),
    max_size=60,
)


@given(_ACTS, st.integers(1, 8))
def test_whoever_hears_everything_knows_everything(acts, max_waiting) -> None:
    registry, told, live = Registry("b", max_waiting=max_waiting), Told(), {}
    fresh = 0
    for act, number in acts:
        if act == "open":
            fresh += 1
            live[f"s{fresh}"] = 0
            registry.update(number % 2, [record(f"s{fresh}")], [], [])
        elif act == "count" and live:
            session = sorted(live)[number % len(live)]
            live[session] += number
            registry.update(0, [], [counted(session, live[session])], [])
        elif act == "close" and live:
            session = sorted(live)[number % len(live)]
            del live[session]
            registry.update(0, [], [], [session])
        elif act == "hear":
            told.hear(registry)
        elif act == "full":
            registry.want_full()
        elif act == "die":
            for session in registry.workers_of(list(live)).get(number % 2, []):
                del live[session]
            registry.forget_worker(number % 2)
    told.hear(registry)
    assert told.sessions == live
    assert len(registry) == len(live)
