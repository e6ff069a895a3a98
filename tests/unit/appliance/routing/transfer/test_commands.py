"""``manage.py import_accounts`` and the like: the same as the pages, for automation."""

import io
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from appliance.routing import services
from appliance.routing.choices import MatchKind
from appliance.routing.models import Account, ImportJob, MailHost, Route


def _run(*arguments: str) -> tuple[str, str]:
    said, complained = io.StringIO(), io.StringIO()
    try:
        call_command(*arguments, stdout=said, stderr=complained)
    except CommandError as fault:
        return said.getvalue(), f"{complained.getvalue()}{fault}"
    return said.getvalue(), complained.getvalue()


@pytest.fixture
def file(db: None, tmp_path: Path) -> Path:
    path = tmp_path / "accounts.csv"
    path.write_text("login,enabled\njoe,yes\nann,perhaps\nbob,no\n")
    return path


def test_wrong_lines_are_named_and_nothing_is_written(file: Path) -> None:
    said, complained = _run("import_accounts", str(file))
    assert said == "2 new, 0 changed, 0 as they are, 1 wrong\n"
    assert complained.startswith("line 3: enabled: Write yes or no.\n")
    assert not Account.objects.exists()
    assert not ImportJob.objects.exists()
    with pytest.raises(CommandError) as fault:
        call_command("import_accounts", str(file), stdout=io.StringIO(), stderr=io.StringIO())
    assert fault.value.returncode == 1


def test_the_others_are_written_if_wanted(file: Path) -> None:
    said, _ = _run("import_accounts", str(file), "--skip-bad")
    assert said.endswith("2 accounts are imported.\n")
    assert sorted(Account.objects.values_list("login", flat=True)) == ["bob", "joe"]


def test_a_dry_run_writes_nothing(file: Path) -> None:
    file.write_text("login\njoe\n")
    assert _run("import_accounts", str(file), "--dry-run")[0].startswith("1 new")
    assert not Account.objects.exists()
    assert not ImportJob.objects.exists()


@pytest.mark.parametrize("content", ["nonsense\n", None])
def test_what_cannot_be_read_is_said(db: None, tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "x.csv"
    if content is not None:
        path.write_text(content)
    said = _run("import_routes", str(path))[1]
    assert "x.csv" in said
    assert "Errno" not in said
    assert content is not None or said.startswith(f"There is no file {path}. Give ")


def test_what_is_exported_can_be_imported(first_host: MailHost, tmp_path: Path) -> None:
    services.save_account(Account(login="joe"))
    services.save_route(Route(match=MatchKind.DEFAULT, mail_host=first_host))
    for kind in ("accounts", "routes"):
        path = tmp_path / kind
        _run(f"export_{kind}", "--output", str(path))
        assert _run(f"export_{kind}")[0] == path.read_bytes().decode()
        said, _ = _run(f"import_{kind}", str(path))
        assert said.startswith("0 new, 0 changed, 1 as they are, 0 wrong\n")
    place = tmp_path / "no" / "f"
    assert _run("export_routes", "--output", str(place))[1] == (
        f"{place} cannot be made: {place.parent} is no directory that takes it."
    )
    assert "is a directory" in _run("export_routes", "--output", str(tmp_path))[1]
