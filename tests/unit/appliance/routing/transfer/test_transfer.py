"""CSV in and out: every bad line named, nothing written before, formulas disarmed, gone on with."""

import csv
import io
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client

from appliance.lib.hashing import hash_password
from appliance.routing import queries, tasks
from appliance.routing import services as routing
from appliance.routing.choices import ImportState, MatchKind
from appliance.routing.models import Account, ImportChunk, ImportJob, MailHost, Route
from appliance.routing.transfer import cells, reading, services
from appliance.routing.transfer.tables import ACCOUNTS, ROUTES, TABLES
from proxycore.contract.secret import Secret

CANARY = "canary-csv-77"


def _take(kind: str, text: str | bytes) -> ImportJob:
    content = text.encode() if isinstance(text, str) else text
    return services.take(kind, io.BytesIO(content), "ada")


def _check(kind: str, text: str) -> ImportJob:
    job = _take(kind, text)
    while services.step(job.pk):
        pass
    job.refresh_from_db()
    assert job.state == ImportState.CHECKED
    return job


def _run(kind: str, text: str) -> ImportJob:
    job = _check(kind, text)
    assert services.confirm(job)
    while services.step(job.pk):
        pass
    job.refresh_from_db()
    assert job.state == ImportState.DONE
    assert job.done == job.lines
    return job


def test_accounts_come_in_and_are_changed(first_host: MailHost) -> None:
    routing.save_account(Account(login="old@example.com", back_login="u1"))
    report = _run(
        "accounts",
        "\ufefflogin,enabled,mail_host,networks\r\n"
        "New@Example.com,yes,mailhost01,192.0.2.7/24\r\n"
        "old@example.com,no,,\r\n",
    )
    assert (report.new, report.changed, report.bad) == (1, 1, 0)
    new = Account.objects.get(login="new@example.com")
    assert (new.mail_host, new.networks) == (first_host, "192.0.2.0/24")
    old = Account.objects.get(login="old@example.com")
    # a column that is left out changes nothing
    assert (old.enabled, old.back_login) == (False, "u1")
    assert old.epoch > 1


def test_a_file_that_is_given_again_changes_nothing(first_host: MailHost) -> None:
    text = f'login,password_hash\na,"{hash_password(b"x")}"\nb,\n'
    _run("accounts", text)
    before = queries.generation()
    report = _run("accounts", text)
    assert (report.unchanged, report.new, report.changed) == (2, 0, 0)
    assert Account.objects.get(login="a").password_hash
    assert queries.generation() == before


@pytest.mark.parametrize(
    ("kind", "line", "field", "reason"),
    [
        ("accounts", "a,maybe,,,", "enabled", "yes or no"),
        ("accounts", "a,yes,nowhere,,", "mail_host", "no “nowhere”"),
        ("accounts", "a,yes,,300.1.1.1,", "networks", "no network"),
        ("accounts", "a,yes,,,{NONSENSE}x", "password_hash", ""),
        ("accounts", ",yes,,,", "login", "none"),
        ("accounts", "a\tb,yes,,,", "login", "control"),
        ("accounts", "a,yes", "", "2 cells instead of 5"),
        ("accounts", "a" * 321 + ",yes,,,", "login", "320"),
        ("accounts", "fine,,,,", "login", "same"),
        ("routes", "0,user,joe,,mailhost01,", "position", "from 1"),
        ("routes", "x,user,joe,,mailhost01,", "position", "number"),
        ("routes", "1,usr,joe,,mailhost01,", "match", "one of"),
        ("routes", "1,pattern,(a+)+,,mailhost01,", "value", "repeated group"),
        ("routes", "1,user,,,mailhost01,", "value", "needs a value"),
        ("routes", "1,user,joe,ftp,mailhost01,", "protocol", "one of"),
        ("routes", "1,user,joe,,,", "mail_host", "none"),
        ("routes", "1,user,joe,,mailhost01,yesterday", "from", "2026-11-22"),
    ],
)
def test_a_bad_line_is_named_by_number_column_and_reason(
    first_host: MailHost, kind: str, line: str, field: str, reason: str
) -> None:
    text = {
        "accounts": "login,enabled,mail_host,networks,password_hash\nfine,,,,\n",
        "routes": "position,match,value,protocol,mail_host,from\n9,default,,,mailhost01,\n",
    }[kind]
    (bad,) = services.bad_lines(_run(kind, f"{text}{line}\n"))
    assert (bad.number, bad.field) == (3, field)
    assert reason in bad.reason
    assert TABLES[kind].rows.count() == 1


def test_nothing_is_written_until_it_is_confirmed(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks.go_on_importing, "delay", tasks.go_on_importing)
    job = _take("accounts", "login\na\n")
    assert not services.confirm(job)
    tasks.go_on_importing(job.pk)
    assert not Account.objects.exists()
    assert services.confirm(job)
    assert not services.confirm(job)
    tasks.go_on_importing(job.pk)
    assert Account.objects.exists()


@pytest.mark.parametrize(
    "text",
    [
        *(b"", b"nonsense\n", b"login,login\n", b"enabled\nyes\n"),
        *(b"login\n\xff\n", b"login\n" + b"a" * 300_000, b"log\0in"),
    ],
)
def test_what_is_no_table_is_said_and_not_kept(db: None, text: bytes) -> None:
    with pytest.raises(reading.NotATable):
        _take("accounts", text)
    assert not ImportJob.objects.exists()


@pytest.mark.parametrize("line", ['"a"b', '"a\nb', "a" * 200_000])
def test_a_line_that_is_no_csv_is_one_bad_line(db: None, line: str) -> None:
    job = _check("accounts", f"login\nfirst\n{line}\n")
    assert (job.new, job.bad) == (1, 1)
    assert "no CSV" in next(services.bad_lines(job)).reason


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "PIECE_LINES", 10)


def test_lines_keep_their_numbers_in_pieces(db: None, small_pieces: None) -> None:
    """A cell with line breaks, empty lines, and lines about the same far from each other."""
    lines = [f"user{i},\n" for i in range(25)]
    lines[3] = '"two\r\nlines",\n'
    lines[7] = "\n"
    lines[21] = "USER1,\n"
    lines[24] = "late,300.1.1.1\n"
    job = _check("accounts", "login,networks\n" + "".join(lines))
    assert (job.chunks, job.lines) == (3, 24)
    found = [(one.number, one.field) for one in services.bad_lines(job)]
    # the line break in the fourth one moves what follows by one
    assert found == [(5, "login"), (24, "login"), (27, "networks")]
    rows = list(csv.reader(io.StringIO("".join(services.export_bad(job)))))
    assert rows[2] == ["24", "login", "An earlier line is about the same."]


def test_an_interrupted_import_is_gone_on_with(
    db: None, small_pieces: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = _check("accounts", "login\n" + "".join(f"user{i}\n" for i in range(35)))
    services.confirm(job)
    assert services.step(job.pk)
    assert services.step(job.pk)
    job.refresh_from_db()
    assert (job.done, Account.objects.count()) == (20, 20)
    # its worker is killed: who looks later finds it, and nobody before
    resumed: list[int] = []
    monkeypatch.setattr(tasks.go_on_importing, "delay", resumed.append)
    tasks.resume_imports()
    assert resumed == []
    monkeypatch.setattr(services, "_STILL", timedelta(0))
    tasks.resume_imports()
    assert resumed == [job.pk]
    tasks.go_on_importing(job.pk)
    job.refresh_from_db()
    assert (job.state, job.done, Account.objects.count()) == (ImportState.DONE, 35, 35)
    # hashes may have been in it
    assert not ImportChunk.objects.exclude(content="").exists()


def test_two_at_a_time_write_each_line_once(db: None, small_pieces: None) -> None:
    job = _check("accounts", "login\n" + "".join(f"user{i}\n" for i in range(20)))
    services.confirm(job)
    job.refresh_from_db()
    chunk = ImportChunk.objects.get(job=job, number=1)
    found = services._read(job, chunk)
    assert services.step(job.pk)
    before = queries.generation()
    services._write(job.pk, chunk, found)
    job.refresh_from_db()
    assert (job.done, Account.objects.count(), queries.generation()) == (10, 10, before)


def test_a_stopped_import_stays_where_it_is(db: None, small_pieces: None) -> None:
    job = _check("accounts", "login\n" + "".join(f"user{i}\n" for i in range(20)))
    services.confirm(job)
    services.step(job.pk)
    assert services.stop(job)
    assert not services.step(job.pk)
    assert Account.objects.count() == 10
    assert not ImportChunk.objects.exclude(content="").exists()


def test_more_mail_hosts_of_a_route(first_host: MailHost, second_host: MailHost) -> None:
    head = "position,match,mail_host,more_mail_hosts\n"
    _run("routes", f"{head}1,default,mailhost01,mailhost01; mailhost02\n")
    route = Route.objects.get()
    assert route.is_spread
    assert [share.mail_host for share in route.shares.all()] == [second_host]
    assert _check("routes", f"{head}1,default,mailhost01,mailhost02\n").unchanged == 1
    _run("routes", "position,match,mail_host,percent\n1,default,mailhost01,50\n")
    assert route.shares.count() == 1
    report = _run("routes", f"{head}1,default,mailhost01,\n")
    route.refresh_from_db()
    assert (report.changed, route.is_spread, route.shares.count()) == (1, False, 0)
    (bad,) = services.bad_lines(_check("routes", f"{head}1,default,mailhost01,nowhere\n"))
    assert (bad.field, bad.reason) == ("more_mail_hosts", "There is no “nowhere”.")


def test_the_file_is_kept_encrypted(db: None) -> None:
    job = _take("accounts", f"login\n{CANARY}\n")
    with connection.cursor() as cursor:
        cursor.execute("SELECT content FROM routing_importchunk WHERE job_id = %s", [job.pk])
        assert CANARY not in cursor.fetchone()[0]


def test_what_goes_out_comes_in_again(first_host: MailHost) -> None:
    routing.save_account(
        Account(login="=cmd|'/c calc'!a0", mail_host=first_host), password=Secret(CANARY)
    )
    for login in ("@joe", "+1", "-x", "'quoted", "'=both", 'a"b,c', "é"):
        routing.save_account(Account(login=login, back_login="=1+1"))
    routing.save_route(
        Route(
            match=MatchKind.PATTERN,
            value="=.*",
            mail_host=first_host,
            percent=7,
            starts_at=datetime(2026, 11, 22, 12, tzinfo=UTC),
        )
    )
    for table in (ACCOUNTS, ROUTES):
        text = "".join(services.export(table))
        for row in csv.reader(io.StringIO(text)):
            assert not any(cell.startswith(("=", "+", "-", "@", "\t")) for cell in row)
        assert "argon2" not in text
        report = _check(table.kind, text)
        assert (report.unchanged, report.bad) == (table.rows.count(), 0)


def test_an_export_goes_on_behind_what_it_has_given(
    first_host: MailHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "_EXPORTED_AT_ONCE", 2)
    for number in range(5):
        routing.save_account(Account(login=f"user{number}"))
        routing.save_route(
            Route(match=MatchKind.USER, value=f"u{number}", position=7, mail_host=first_host)
        )
    for table, column, begin in ((ACCOUNTS, "login", "user"), (ROUTES, "value", "u")):
        rows = list(csv.DictReader(io.StringIO("".join(services.export(table)))))
        assert [row[column] for row in rows] == [f"{begin}{number}" for number in range(5)]


@pytest.mark.parametrize("text", ["", "a", "'", "'a", "''", "=1", "'=1", "-", "\tx", "@"])
def test_a_cell_survives(text: str) -> None:
    assert cells.unescape(cells.escape(text)) == text


@pytest.mark.slow
def test_100_000_accounts_are_checked_and_written_in_seconds(first_host: MailHost) -> None:
    text = "login,mail_host\n" + "".join(f"u{i}@example.com,mailhost01\n" for i in range(100_000))
    began = time.process_time()
    report = _run("accounts", text)
    spent = time.process_time() - began
    assert (report.new, Account.objects.count()) == (100_000, 100_000)
    assert len(list(services.export(ACCOUNTS))) == 51
    assert spent < 90


# --- pages ------------------------------------------------------------------------------------


def _upload(text: bytes) -> dict[str, Any]:
    return {"file": SimpleUploadedFile("a.csv", text)}


def test_a_file_is_checked_confirmed_and_written(
    as_administrator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks.go_on_importing, "delay", tasks.go_on_importing)
    page = as_administrator.post(
        "/admin/import/accounts/", _upload(b"login,pop3\njoe,no\nx,?\n"), follow=True
    )
    assert "Import 1 accounts, leave 1 out" in page.text
    assert "Write yes or no." in page.text
    assert not Account.objects.exists()
    job = ImportJob.objects.get()
    done = as_administrator.post(f"/admin/import/job/{job.pk}/", follow=True)
    assert "1 accounts are imported, 1 wrong line was left out" in done.text
    bad = as_administrator.get(f"/admin/import/job/{job.pk}/wrong/")
    assert b"3,pop3,Write yes or no." in b"".join(bad.streaming_content)  # type: ignore[attr-defined]
    assert Account.objects.get().pop3_enabled is False


@pytest.mark.parametrize("text", [b"\xff\xfe", b"nonsense\n", b""])
def test_a_file_that_cannot_be_read_is_an_error_at_its_field(
    as_administrator: Client, text: bytes
) -> None:
    page = as_administrator.post("/admin/import/accounts/", _upload(text))
    assert page.context["form"].errors["file"]
    assert not ImportJob.objects.exists()


def test_who_may_import_and_export(
    as_viewer: Client, as_newcomer: Client, client: Client, as_administrator: Client
) -> None:
    job = _take("accounts", "login\na\n")
    at = f"/admin/import/job/{job.pk}/"
    for page in ("/admin/import/accounts/", at, f"{at}wrong/"):
        assert as_administrator.get(page).status_code == 200
        assert as_viewer.get(page).status_code == 403
        assert as_viewer.post(page).status_code == 403
        assert client.get(page).status_code == 302
    for kind in TABLES:
        assert as_viewer.get(f"/admin/export/{kind}/").status_code == 200
        assert as_newcomer.get(f"/admin/export/{kind}/").status_code == 403
    assert as_administrator.get("/admin/export/users/").status_code == 404
