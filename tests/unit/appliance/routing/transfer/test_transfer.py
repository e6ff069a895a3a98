"""CSV in and out: every bad line named, nothing written before, formulas disarmed, gone on with."""

import csv
import io
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client

from appliance.lib.hashing import hash_password
from appliance.routing import queries, tasks
from appliance.routing import services as routing
from appliance.routing.choices import ImportState, MatchKind
from appliance.routing.models import Account, ImportJob, MailHost, Route
from appliance.routing.transfer import cells, reading, services
from appliance.routing.transfer.tables import ACCOUNTS, ROUTES, TABLES
from proxycore.contract.secret import Secret

CANARY = "canary-csv-77"


def _run(kind: str, text: str) -> reading.Report:
    job, report = services.take(kind, Secret(text), "ada")
    assert services.confirm(job)
    services.write(job.pk)
    job.refresh_from_db()
    assert job.state == ImportState.DONE
    return report


def test_accounts_come_in_and_are_changed(first_host: MailHost) -> None:
    routing.save_account(Account(login="old@example.com", back_login="u1"))
    report = _run(
        "accounts",
        "login,enabled,mail_host,networks\r\n"
        "New@Example.com,yes,mailhost01,192.0.2.7/24\r\n"
        "old@example.com,no,,\r\n",
    )
    assert (report.new, report.changed, report.bad) == (1, 1, [])
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
    report = _run(kind, f"{text}{line}\n")
    (bad,) = report.bad
    assert (bad.number, bad.field) == (3, field)
    assert reason in bad.reason
    assert TABLES[kind].rows.count() == 1


def test_nothing_is_written_until_it_is_confirmed(db: None) -> None:
    job, _ = services.take("accounts", Secret("login\na\n"), "ada")
    services.write(job.pk)
    assert not Account.objects.exists()
    assert services.confirm(job)
    assert not services.confirm(job)
    tasks.write_import(job.pk)
    assert Account.objects.exists()


@pytest.mark.parametrize(
    "text", ["", "nonsense\n", "login,login\n", "enabled\nyes\n", 'login\n"a"b\n', "login\n\0\n"]
)
def test_what_is_no_table_is_said(db: None, text: str) -> None:
    try:
        report = reading.check(ACCOUNTS, text)
    except reading.NotATable:
        return
    assert report.bad_count == 1


def test_an_interrupted_import_goes_on(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "BATCH", 10)
    text = "login\n" + "".join(f"user{i}\n" for i in range(35))
    job, _ = services.take("accounts", Secret(text), "ada")
    services.confirm(job)
    for batch in reading.batches(ACCOUNTS, text):
        services._write(job.pk, ACCOUNTS, batch)
        if batch.last == 20:
            break
    job.refresh_from_db()
    assert (job.done, Account.objects.count()) == (20, 20)
    services.write(job.pk)
    job.refresh_from_db()
    assert (job.done, Account.objects.count()) == (35, 35)
    # hashes may have been in it
    assert not ImportJob.objects.exclude(content="").exists()


def test_the_file_is_kept_encrypted(db: None) -> None:
    job, _ = services.take("accounts", Secret(f"login\n{CANARY}\n"), "ada")
    with connection.cursor() as cursor:
        cursor.execute("SELECT content FROM routing_importjob WHERE id = %s", [job.pk])
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
        report = reading.check(table, text)
        assert (report.unchanged, report.bad) == (table.rows.count(), [])


@pytest.mark.parametrize("text", ["", "a", "'", "'a", "''", "=1", "'=1", "-", "\tx", "@"])
def test_a_cell_survives(text: str) -> None:
    assert cells.unescape(cells.escape(text)) == text


def test_100_000_accounts_are_checked_and_written_in_seconds(first_host: MailHost) -> None:
    text = "login,mail_host\n" + "".join(f"u{i}@example.com,mailhost01\n" for i in range(100_000))
    began = time.process_time()
    report = _run("accounts", text)
    spent = time.process_time() - began
    assert (report.new, Account.objects.count()) == (100_000, 100_000)
    assert spent < 90


# --- pages ------------------------------------------------------------------------------------


def _upload(text: bytes) -> dict[str, Any]:
    return {"file": SimpleUploadedFile("a.csv", text)}


def test_a_file_is_checked_confirmed_and_written(
    as_administrator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks.write_import, "delay", tasks.write_import)
    page = as_administrator.post("/admin/import/accounts/", _upload(b"login,pop3\njoe,no\nx,?\n"))
    assert "Import 1 accounts, leave 1 out" in page.text
    assert "Write yes or no." in page.text
    assert not Account.objects.exists()
    job = ImportJob.objects.get()
    done = as_administrator.post(f"/admin/import/job/{job.pk}/", follow=True)
    assert "1 accounts are imported, 1 wrong lines were left out" in done.text
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
    job, _ = services.take("accounts", Secret("login\na\n"), "ada")
    for page in ("/admin/import/accounts/", f"/admin/import/job/{job.pk}/"):
        assert as_administrator.get(page).status_code == 200
        assert as_viewer.get(page).status_code == 403
        assert as_viewer.post(page).status_code == 403
        assert client.get(page).status_code == 302
    for kind in TABLES:
        assert as_viewer.get(f"/admin/export/{kind}/").status_code == 200
        assert as_newcomer.get(f"/admin/export/{kind}/").status_code == 403
    assert as_administrator.get("/admin/export/users/").status_code == 404
