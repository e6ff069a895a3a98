"""Default blocks at the first start; later the environment is followed only when it changes."""

from typing import Any

import pytest

from appliance.certs.models import Certificate
from appliance.fleet.launcher import blocks
from appliance.publish import queries as publish
from appliance.servers import services as servers
from appliance.servers.models import Listener, ServerBlock

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def state(settings: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.STATE_DIR = tmp_path
    for name in blocks.VARIABLES.values():
        monkeypatch.delenv(f"POSTROAD_{name}", raising=False)


def published_ports() -> dict[str, int]:
    revision = publish.current()
    assert revision is not None
    return {server.name: server.listens[0].port for server in publish.snapshot(revision).servers}


def say_port(settings: Any, monkeypatch: pytest.MonkeyPatch, name: str, port: int) -> None:
    settings.__setattr__(name, port)
    monkeypatch.setenv(f"POSTROAD_{name}", str(port))


def revision_number() -> int:
    revision = publish.current()
    assert revision is not None
    return revision.number


def test_the_first_start_publishes_three_blocks_once(settings: Any) -> None:
    assert {door.port for door in blocks.doors()} == {1143, 1110, 1587, 1993, 1995, 1465}
    assert blocks.create()
    assert not blocks.create()
    assert published_ports() == {"imap": 1143, "pop3": 1110, "submission": 1587}
    assert {door.variable for door in blocks.doors()} == {
        "POSTROAD_IMAP_PORT",
        "POSTROAD_POP3_PORT",
        "POSTROAD_SMTP_PORT",
        "POSTROAD_IMAPS_PORT",
        "POSTROAD_POP3S_PORT",
        "POSTROAD_SMTPS_PORT",
    }


def test_a_first_start_speaks_tls_with_a_certificate_of_its_own() -> None:
    blocks.create()
    revision = publish.current()
    assert revision is not None
    for server in publish.snapshot(revision).servers:
        assert server.front_tls.starttls == "on"
        assert [listen.ssl for listen in server.listens] == [False, True]
        assert len(server.front_tls.certificates) == 1
    assert "localhost" in Certificate.objects.get().names


def test_a_first_start_without_tls(settings: Any) -> None:
    settings.TLS = False
    assert {door.port for door in blocks.doors()} == {1143, 1110, 1587}
    blocks.create()
    assert not Certificate.objects.exists()
    assert {door.port for door in blocks.doors()} == {1143, 1110, 1587}


def test_a_port_of_0_is_no_listener(settings: Any) -> None:
    settings.IMAPS_PORT = 0
    assert 0 not in {door.port for door in blocks.doors()}
    blocks.create()
    assert {door.port for door in blocks.doors()} == {1143, 1110, 1587, 1995, 1465}


def test_the_port_with_tls_is_followed_by_itself(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks.create()
    say_port(settings, monkeypatch, "IMAPS_PORT", 2993)
    assert blocks.follow_environment() == ["Server block imap (TLS) now listens on port 2993."]
    assert {door.port for door in blocks.doors()} >= {1143, 2993}


def test_an_unchanged_environment_changes_nothing() -> None:
    blocks.create()
    assert blocks.follow_environment() == []
    assert revision_number() == 1


def test_a_new_port_in_the_environment_is_checked_set_and_published(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks.create()
    say_port(settings, monkeypatch, "IMAP_PORT", 2143)
    assert 2143 in {door.port for door in blocks.doors()}
    assert blocks.follow_environment() == ["Server block imap now listens on port 2143."]
    assert published_ports()["imap"] == 2143
    assert blocks.follow_environment() == []


def test_an_operator_s_port_is_not_undone_by_the_same_environment(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    say_port(settings, monkeypatch, "IMAP_PORT", 2143)
    blocks.create()
    listener = Listener.objects.get(block__name="imap", ssl=False)
    listener.port = 3143
    servers.save_listener(listener)
    assert blocks.follow_environment() == []
    assert Listener.objects.get(block__name="imap", ssl=False).port == 3143


def test_a_moved_auth_service_is_published(settings: Any) -> None:
    blocks.create()
    settings.AUTH_HTTP_PORT = 9999
    assert blocks.follow_environment() == []
    revision = publish.current()
    assert revision is not None
    assert {s.auth_http.port for s in publish.snapshot(revision).servers} == {9999}


def test_an_operator_s_draft_is_not_published_by_a_start(settings: Any) -> None:
    blocks.create()
    block = ServerBlock.objects.get(name="imap")
    block.max_errors = 3
    servers.save_block(block)
    assert blocks.follow_environment() == []
    settings.AUTH_HTTP_PORT = 9999
    (note,) = blocks.follow_environment()
    assert "unpublished draft" in note
    assert revision_number() == 1


def test_a_port_of_another_block_is_left_to_it(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks.create()
    say_port(settings, monkeypatch, "IMAP_PORT", 1110)
    (note,) = blocks.follow_environment()
    assert note.startswith("Server block imap cannot get port 1110")
    assert published_ports()["imap"] == 1143
