"""``manage.py import_nginx_conf``."""

import io
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from appliance.servers.models import ServerBlock
from tests.unit.appliance.publish.test_transfer import CONF


def _run(path: Path, *options: str) -> tuple[str, str]:
    said, complained = io.StringIO(), io.StringIO()
    try:
        call_command("import_nginx_conf", str(path), *options, stdout=said, stderr=complained)
    except CommandError as fault:
        return said.getvalue(), f"{complained.getvalue()}{fault}"
    return said.getvalue(), complained.getvalue()


def test_a_file_is_taken_and_a_dry_run_takes_nothing(
    tmp_path: Path, blocks: dict[str, ServerBlock]
) -> None:
    path = tmp_path / "nginx.conf"
    path.write_text(CONF)
    said, _ = _run(path, "--dry-run")
    assert "timeout_ms changed from 60000 ms to 90000 ms" in said
    assert ServerBlock.objects.get(name="imap").timeout_ms == 60_000
    assert _run(path)[0] == said
    assert ServerBlock.objects.get(name="imap").timeout_ms == 90_000
    assert ServerBlock.objects.count() == 3
    _run(path, "--replace")
    assert [block.name for block in ServerBlock.objects.all()] == ["imap"]


@pytest.mark.django_db
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "nginx.conf"
    path.write_text("mail {\n bogus on;\n}\n")
    said, complained = _run(path)
    assert said == ""
    assert complained.startswith("line 2: [emerg] ")
    assert complained.endswith("The file was not taken.")
    assert _run(tmp_path / "none")[1].startswith(f"There is no file {tmp_path / 'none'}. Give ")
    assert "is a directory" in _run(tmp_path)[1]
    assert "is no directory" in _run(path, "--certificates", str(path))[1]
