"""The benchmark's arithmetic and its C programs; the measuring itself is ``make bench``."""

import contextlib
import http.client
import mmap
import os
import socket
import time

import pytest

from tests.bench import accounting, pairs, programs
from tests.bench.machine import Unfit
from tests.bench.measure import Better, Contest, Goal, Measure, Metric
from tests.bench.measures import ALL
from tests.bench.proxies import OURS_TLS_BOTH, make_proxy
from tests.bench.report import results_of, table
from tests.bench.surroundings import AuthPlace, Surroundings, make_certificate
from tests.support.wait import eventually


def test_pairs_alternate_their_order():
    assert list(pairs.abba("A", "B", 4)) == [("A", "B"), ("B", "A"), ("A", "B"), ("B", "A")]


def test_steady_drift_cancels_in_abba_order():
    """Every run is 1 % slower than the one before; both sides are the same program."""
    figures: dict[str, list[float]] = {"A": [], "B": []}
    speed = 100.0
    for order in pairs.abba("A", "B", 4):
        for name in order:
            figures[name].append(speed)
            speed *= 1.01
    assert pairs.spread(pairs.ratios(figures["A"], figures["B"])).median == pytest.approx(1, 1e-3)


def test_ratio_is_taken_inside_each_pair():
    assert pairs.ratios([100, 200, 50], [50, 300, 50]) == [0.5, 1.5, 1.0]


def test_pair_whose_peer_shows_nothing_has_no_ratio():
    assert pairs.ratios([0, 10], [5, 5]) == [0.5]


def test_runs_without_a_partner_are_refused():
    with pytest.raises(ValueError, match="2 runs of the peer, 1 of the candidate"):
        pairs.ratios([1, 2], [1])


def test_quartiles_are_those_of_the_values_given():
    assert pairs.spread([5, 1, 3, 2, 4]) == pairs.Spread(2, 3, 4)
    assert pairs.spread([7]) == pairs.Spread(7, 7, 7)
    with pytest.raises(ValueError, match="no values"):
        pairs.spread([])


@pytest.mark.parametrize(
    ("goal", "better", "ratio", "figure", "reached"),
    [
        (Goal(ratio=0.9), Better.LOWER, 0.9, 0, True),
        (Goal(ratio=0.9), Better.LOWER, 0.91, 0, False),
        (Goal(ratio=1.1), Better.HIGHER, 1.2, 0, True),
        (Goal(ratio=1.1), Better.HIGHER, 1.0, 0, False),
        (Goal(absolute=2), Better.LOWER, 9, 1.9, True),
        (Goal(ratio=0.1, absolute=3), Better.LOWER, 0.05, 3.1, False),
    ],
)
def test_goal_is_reached_from_its_good_side(goal, better, ratio, figure, reached):
    assert goal.is_reached(better, ratio, figure) is reached


def test_table_and_json_carry_both_figures_and_the_ratio():
    contest = Contest("peer", "candidate", {"cpu": Goal(ratio=0.5)})
    measure = Measure(
        name="work",
        title="some work",
        metrics=(Metric("cpu", "us"), Metric("kernel", "", Better.NEITHER)),
        contests=(contest,),
        run=lambda _rig, _name, _scale: {},
    )
    peer = [{"cpu": 100.0, "kernel": 0.9}, {"cpu": 200.0, "kernel": 0.9}]
    candidate = [{"cpu": 60.0, "kernel": 0.8}, {"cpu": 80.0, "kernel": 0.8}]
    cpu, kernel = results_of(measure, contest, peer, candidate)

    line = " ".join(table([cpu]).splitlines()[-1].split())
    assert line == "work cpu us peer 150 candidate 70 0.50x [0.45..0.55] ≤ 0.5x reached"
    plain = cpu.to_plain()
    assert plain["peer_values"] == [100.0, 200.0]
    assert plain["candidate_values"] == [60.0, 80.0]
    assert plain["ratio"] == pytest.approx({"q1": 0.45, "median": 0.5, "q3": 0.55})
    assert plain["reached"] is True
    assert kernel.ratio is None
    assert kernel.is_reached is None


def test_measures_have_names_of_their_own_and_goals_on_metrics_they_have():
    assert len({measure.name for measure in ALL}) == len(ALL)
    for measure in ALL:
        metrics = {metric.name for metric in measure.metrics}
        for contest in measure.contests:
            assert set(contest.goals) <= metrics, measure.name


def test_cpu_time_of_this_process_grows_with_its_work():
    before = accounting.cpu_time([os.getpid()])
    until = time.thread_time() + 0.05
    while time.thread_time() < until:
        pass
    used = accounting.cpu_time([os.getpid()]) - before
    assert used.total_ns >= 40_000_000


def test_memory_of_this_process_counts_what_it_touches():
    before = accounting.pss_bytes([os.getpid()])
    # pages of its own: what the allocator has at hand was touched before
    with mmap.mmap(-1, 32_000_000) as held:
        held.write(b"x" * len(held))
        assert accounting.pss_bytes([os.getpid()]) - before > 0.9 * len(held)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    directory = tmp_path_factory.mktemp("bench-programs")
    try:
        programs.build(directory)
    except Unfit as error:
        pytest.skip(str(error))
    return directory


def test_c_programs_compile_without_a_warning(built):
    assert {path.name for path in built.iterdir()} == set(programs.PARTS)


@pytest.fixture
def pair(tmp_path):
    return make_certificate(tmp_path)


@pytest.fixture
def backend(built, pair):
    stub = programs.Stub([str(built / "backend"), str(pair.certificate), str(pair.key)])
    yield stub
    stub.close()


@pytest.mark.parametrize("protocol", ["imap", "pop3", "smtp"])
def test_load_logs_in_at_the_stub_backend(built, backend, protocol):
    port = backend.ports[("imap", "pop3", "smtp").index(protocol)]
    with programs.Load(built / "load", port, programs.Work(protocol=protocol, sessions=5)) as load:
        outcome = load.run(40)
    assert outcome.operations == 40
    assert 0 < outcome.p50_ns <= outcome.p90_ns <= outcome.p99_ns <= outcome.max_ns


@pytest.mark.parametrize("work", ["noop", "fetch", "append"])
def test_load_works_on_sessions_that_stay(built, backend, work):
    wanted = programs.Work(work=work, sessions=4, size=1_000_000)
    with programs.Load(built / "load", backend.ports[0], wanted) as load:
        for _ in range(2):
            outcome = load.run(10)
            assert outcome.operations == 10
            assert outcome.octets == (0 if work == "noop" else 10_000_000)


@pytest.mark.parametrize("work", ["login", "noop", "fetch", "append"])
def test_load_speaks_tls_from_the_first_octet(built, backend, work):
    wanted = programs.Work(work=work, sessions=4, size=1_000_000, tls="implicit")
    with programs.Load(built / "load", backend.ports[3], wanted) as load:
        assert load.run(10).operations == 10


def test_load_resumes_its_sessions(built, backend):
    """The first run has nothing to resume; in the second one a full handshake is a failure."""
    wanted = programs.Work(sessions=4, tls="implicit", resume=1)
    with programs.Load(built / "load", backend.ports[3], wanted) as load:
        load.run(4)
        assert load.run(20).operations == 20


def test_load_without_tls_is_not_understood_where_tls_is_spoken(built, backend):
    wanted = programs.Work(sessions=1, deadline=0.2)
    load = programs.Load(built / "load", backend.ports[3], wanted)
    with load, pytest.raises(programs.LoadFailed, match="deadline, 0 of 1"):
        load.run(1)


def test_open_loop_keeps_its_rate(built, backend):
    wanted = programs.Work(sessions=50, rate=200)
    with programs.Load(built / "load", backend.ports[0], wanted) as load:
        outcome = load.run(40)
    assert outcome.elapsed_ns >= 39 / 200 * 1e9


def test_failed_operation_fails_the_run(built, backend):
    """A POP3 client at an IMAP server hears a greeting it does not expect."""
    load = programs.Load(built / "load", backend.ports[0], programs.Work(protocol="pop3"))
    with load, pytest.raises(programs.LoadFailed, match="unexpected answer"):
        load.run(1)


def test_load_ends_at_its_deadline(built):
    """The kernel accepts for a listener nobody serves, so the greeting never comes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        work = programs.Work(sessions=1, deadline=0.1)
        load = programs.Load(built / "load", port, work)
        with load, pytest.raises(programs.LoadFailed, match="deadline, 0 of 1"):
            load.run(1)


def test_auth_stub_names_the_backend_of_the_protocol(built, backend):
    auth = programs.Stub([str(built / "auth"), *map(str, backend.ports)])
    try:
        connection = http.client.HTTPConnection("127.0.0.1", auth.ports[0], timeout=5)
        for index, protocol in enumerate(("imap", "pop3", "smtp")):
            connection.request("GET", "/auth", headers={"Auth-Protocol": protocol})
            answer = connection.getresponse()
            answer.read()
            assert answer.headers["Auth-Status"] == "OK"
            assert answer.headers["Auth-Port"] == str(backend.ports[index])
        connection.request("GET", "/secure", headers={"Auth-Protocol": "imap"})
        answer = connection.getresponse()
        answer.read()
        assert answer.headers["Auth-Port"] == str(backend.ports[3])
        connection.close()
    finally:
        auth.close()


def test_control_stub_runs_a_node_on_a_snapshot_and_hears_of_it(built, backend, pair):
    auth = programs.Stub([str(built / "auth"), *map(str, backend.ports)])
    around = Surroundings(
        auth=AuthPlace(port=auth.ports[0]),
        backend_ports=tuple(backend.ports),
        certificate=pair,
        connections=100,
    )
    with contextlib.ExitStack() as stack:
        stack.callback(auth.close)
        node = make_proxy(OURS_TLS_BOTH, around)
        stack.callback(node.close)
        node.start()
        work = programs.Work(work="noop", sessions=3, tls="starttls")
        with programs.Load(built / "load", node.ports["imap"], work) as load:
            assert load.run(3).operations == 3
            eventually(lambda: len(node.control.sessions) == 3, "the sessions are reported")
            changed = {**node.snapshot, "process": {**node.snapshot["process"], "pid": ""}}
            node.control.apply(changed)
            assert load.run(3).operations == 3
        eventually(lambda: not node.control.sessions, "their end is reported")
        logins = "logins{server=imap}"
        eventually(lambda: node.control.totals.get(logins) == 3, "the logins are counted")
