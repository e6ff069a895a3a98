"""The draft, and finding the stored object behind a problem."""

from appliance.publish import draft, queries
from appliance.publish.registry import Origin
from appliance.servers.models import ServerBlock
from proxycore.contract.codec import Problem

BLOCK = Origin("block", "/block")
LISTENER = Origin("listener", "/listener")
ORIGINS = {"servers[0]": BLOCK, "servers[0].listens[1]": LISTENER}


def _located(path: str) -> tuple[Origin, str]:
    found = draft.locate(Problem(path, "is wrong"), ORIGINS)
    return found.origin, found.field


def test_the_longest_known_path_is_the_origin() -> None:
    assert _located("servers[0].timeout_ms") == (BLOCK, "timeout_ms")
    assert _located("servers[0].listens[1].port") == (LISTENER, "port")
    assert _located("servers[0].listens[0].port") == (BLOCK, "listens[0].port")
    assert _located("servers[0]") == (BLOCK, "")


def test_what_belongs_to_no_object_belongs_to_the_configuration() -> None:
    origin, field = _located("process.worker_processes")
    assert (origin.label, origin.url, field) == ("configuration", "", "process.worker_processes")
    assert _located("servers[1].name")[0].label == "configuration"
    assert _located("")[1] == ""


def test_a_problem_reads_as_a_sentence() -> None:
    problem = draft.locate(Problem("servers[0].timeout_ms", "must be at least 1"), ORIGINS)
    assert str(problem) == "block timeout_ms: must be at least 1"


def test_an_empty_appliance_has_an_empty_draft_and_nothing_pending(db: None) -> None:
    built = draft.build().snapshot
    assert built is not None
    assert built.servers == ()
    assert not queries.is_pending()
    assert not queries.pending()


def test_blocks_are_pending_until_published(blocks: dict[str, ServerBlock]) -> None:
    assert queries.is_pending()
    assert [str(change) for change in queries.pending().changes] == [
        'server block "imap" added',
        'server block "pop3" added',
        'server block "submission" added',
        'error_log "stderr" added',
    ]
