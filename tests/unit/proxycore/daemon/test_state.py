"""The last good snapshot survives crashes, and nobody else reads it."""

import json

import pytest

from proxycore.contract.protocol import Protocol
from proxycore.contract.secret import Secret
from proxycore.contract.snapshot import AuthHttp, AuthHttpHeader, Listen, Server, Snapshot
from proxycore.daemon.state import SNAPSHOT_FILE, Revision, StateDir, read_token, write_atomically

SNAPSHOT = Snapshot(
    servers=(
        Server(
            name="imap",
            protocol=Protocol.IMAP,
            listens=(Listen(port=1143),),
            auth_http=AuthHttp(
                host="127.0.0.1", headers=(AuthHttpHeader(name="X-Key", value=Secret("k3y")),)
            ),
        ),
    )
)
REVISION = Revision(number=7, digest=SNAPSHOT.digest(), snapshot=SNAPSHOT)


@pytest.fixture
def state(tmp_path):
    directory = StateDir(str(tmp_path / "a" / "node"))
    directory.ensure()
    return directory


def test_what_was_saved_is_loaded_secrets_included(state) -> None:
    state.save(REVISION)
    loaded = state.load()
    assert loaded == REVISION
    assert loaded.snapshot.servers[0].auth_http.headers[0].value.reveal() == "k3y"


def test_directory_and_file_are_private(state, tmp_path) -> None:
    state.save(REVISION)
    directory = tmp_path / "a" / "node"
    assert directory.stat().st_mode & 0o777 == 0o700
    assert (directory / SNAPSHOT_FILE).stat().st_mode & 0o777 == 0o600
    assert [file.name for file in directory.iterdir()] == [SNAPSHOT_FILE]


def test_nothing_saved_is_nothing_loaded(state) -> None:
    assert state.load() is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b"\xff",
        json.dumps({"revision": "x", "digest": "", "snapshot": {}}).encode(),
        json.dumps({"revision": 1, "digest": "wrong", "snapshot": {}}).encode(),
        json.dumps({"revision": 1, "digest": "", "snapshot": {"servers": 3}}).encode(),
    ],
)
def test_a_damaged_file_is_said_to_be_unusable(state, tmp_path, content) -> None:
    (tmp_path / "a" / "node" / SNAPSHOT_FILE).write_bytes(content)
    with pytest.raises(ValueError, match="is not usable"):
        state.load()


def test_a_failed_write_leaves_the_old_content_and_no_draft(tmp_path) -> None:
    file = tmp_path / "file"
    write_atomically(file, b"old", mode=0o600)
    (tmp_path / "target").mkdir()
    with pytest.raises(IsADirectoryError):
        write_atomically(tmp_path / "target", b"new", mode=0o600)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "target"]
    assert file.read_bytes() == b"old"


def test_a_token_others_can_read_is_warned_about(tmp_path) -> None:
    file = tmp_path / "token"
    file.write_text("t0ken\n")
    file.chmod(0o644)
    token, warning = read_token(str(file))
    assert token.reveal() == "t0ken"
    assert "mode 0644" in warning
    assert "t0ken" not in warning
    file.chmod(0o600)
    assert read_token(str(file))[1] == ""


@pytest.mark.parametrize("content", ["", "\n", "two words", "cr\rlf"])
def test_a_file_without_a_token_is_refused(tmp_path, content) -> None:
    file = tmp_path / "token"
    file.write_text(content)
    with pytest.raises(ValueError, match="does not hold a token"):
        read_token(str(file))
