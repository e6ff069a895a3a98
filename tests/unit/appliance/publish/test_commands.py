"""``manage.py publish``, ``rollback``, ``discard`` and ``export_nginx_conf``."""

import io
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from appliance.publish import queries, registry, services
from appliance.servers import services as servers
from appliance.servers.models import ServerBlock


def _run(*arguments: str) -> tuple[str, str]:
    said, complained = io.StringIO(), io.StringIO()
    try:
        call_command(*arguments, stdout=said, stderr=complained)
    except CommandError as fault:
        return said.getvalue(), f"{complained.getvalue()}{fault}"
    return said.getvalue(), complained.getvalue()


def _change(block: ServerBlock, timeout_ms: int) -> None:
    block.timeout_ms = timeout_ms
    block.save()


def test_the_draft_is_published_rolled_back_and_discarded(blocks: dict[str, ServerBlock]) -> None:
    assert _run("publish", "--dry-run")[0].startswith("server block")
    assert queries.current() is None
    assert _run("publish", "--note", "first")[0].endswith("Revision 1 is published.\n")
    assert services.publish()[0].note == "first"
    _change(blocks["imap"], 90_000)
    said, _ = _run("publish")
    assert "timeout_ms changed from 60000 ms to 90000 ms" in said
    assert said.endswith("Revision 2 is published.\n")
    assert _run("rollback", "1")[0] == "Revision 3 has the content of revision 1.\n"
    assert queries.is_pending()
    assert _run("discard")[0] == "The draft says what revision 3 says.\n"
    assert not queries.is_pending()
    assert "There is no revision 9." in _run("rollback", "9")[1]


def test_a_dry_run_also_says_that_there_is_nothing_to_publish(
    blocks: dict[str, ServerBlock],
) -> None:
    services.publish()
    assert _run("publish", "--dry-run") == (
        "Nothing to publish: revision 1 is what is saved.\n",
        "",
    )
    assert _run("publish")[0] == "Revision 1 is what is saved.\n"
    _change(blocks["imap"], 90_000)
    assert "Nothing" not in _run("publish", "--dry-run")[0]


def test_what_an_export_leaves_out_is_said_once_for_all_blocks(db: None) -> None:
    servers.create_default_blocks(["mail.example.com"])
    complained = _run("export_nginx_conf")[1].splitlines()
    assert len(complained) == 1
    assert complained[0].endswith('a key of server blocks "imap", "pop3" and "submission"')


@pytest.mark.django_db
def test_there_may_be_nothing_to_discard() -> None:
    assert _run("discard")[1] == "Nothing is published."


def test_what_cannot_be_published_is_said(blocks: dict[str, ServerBlock]) -> None:
    ServerBlock.objects.filter(name="imap").update(imap_auth=["nonsense"])
    complained = _run("publish")[1]
    assert 'server block "imap" imap_auth' in complained
    assert complained.endswith("The draft cannot be published.")
    assert queries.current() is None


def test_a_node_that_objects_or_is_silent_is_heard(
    blocks: dict[str, ServerBlock], monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = registry.Destination("local", "connected", is_connected=True)
    monkeypatch.setattr(registry, "destinations", lambda: [silent])
    monkeypatch.setattr("appliance.publish.verdicts.PATIENCE", -services.queries.ASKED_FOR)
    complained = _run("publish")[1]
    assert complained.startswith("local: does not answer\n")
    assert queries.current() is None
    assert "Revision 1 is published." in _run("publish", "--despite")[0]


def test_the_draft_and_revisions_come_out_as_nginx_conf(
    blocks: dict[str, ServerBlock], tmp_path: Path
) -> None:
    services.publish()
    _change(blocks["imap"], 90_000)
    assert "timeout 90" in _run("export_nginx_conf")[0]
    assert "timeout 90" not in _run("export_nginx_conf", "--revision", "1")[0]
    assert _run("export_nginx_conf", "--revision", "7")[1] == "There is no revision 7."
    _run("export_nginx_conf", "--directory", str(tmp_path / "conf"))
    assert "timeout 90" in (tmp_path / "conf" / "nginx.conf").read_text()
    taken = tmp_path / "conf" / "nginx.conf"
    assert _run("export_nginx_conf", "--directory", str(taken))[1] == (
        f"{taken} is a file. Give the path of a directory."
    )
