"""A worker's log lines wait in bounds, and are only composed when somebody wants them."""

from proxycore.contract.snapshot import ErrorLog
from proxycore.daemon import worker
from proxycore.daemon.worker import PER_REPORT, WorkerLog, in_pieces
from tests.unit.proxycore.daemon.test_logs import naming


def test_only_wanted_levels_are_kept() -> None:
    log = WorkerLog(lambda: None)
    log.threshold = 4
    for level in ("crit", "error", "warn", "info"):
        log.write(level, "x")
    assert [level for level, _, _, _ in log.take()] == ["crit", "error"]
    assert log.take() == []


def test_the_loop_is_asked_once_per_batch() -> None:
    asked: list[int] = []
    log = WorkerLog(lambda: asked.append(1))
    for _ in range(3):
        log.write("error", "x")
    assert len(asked) == 1
    log.take()
    log.write("error", "x")
    assert len(asked) == 2


def test_lines_nobody_takes_are_counted_not_kept(monkeypatch) -> None:
    monkeypatch.setattr(worker, "MAX_LINES", 3)
    log = WorkerLog(lambda: None)
    for number in range(5):
        log.write("error", str(number))
    lines = log.take()
    assert [message for _, _, message, _ in lines] == ["0", "1", "2", "2 log lines were dropped"]
    log.write("error", "again")
    assert [message for _, _, message, _ in log.take()] == ["again"]


def test_a_block_s_log_has_its_own_threshold_and_says_whose_a_line_is() -> None:
    log = WorkerLog(lambda: None)
    chatty, plain = log.of("chatty"), log.of("plain")
    log.use(naming(ErrorLog(level="error"), chatty=(ErrorLog(level="debug"),), plain=()))
    for one in (chatty, plain, log):
        one.write("info", "i")
        one.write("error", "e")
    assert [(message, server) for _, _, message, server in log.take()] == [
        ("i", "chatty"),
        ("e", "chatty"),
        ("e", "plain"),
        ("e", ""),
    ]
    assert log.of("chatty") is chatty
    log.use(naming(ErrorLog(level="error")))
    assert chatty.threshold == log.threshold


def test_a_report_without_changes_is_one_and_many_changes_are_several() -> None:
    assert list(in_pieces([], [])) == [[[], []]]
    many, few = list(range(2 * PER_REPORT + 1)), ["a"]
    pieces = list(in_pieces(many, few, []))
    assert [len(piece[0]) for piece in pieces] == [PER_REPORT, PER_REPORT, 1]
    for i, whole in enumerate((many, few, [])):
        assert [one for piece in pieces for one in piece[i]] == whole
