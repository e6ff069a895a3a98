"""Which database a URL means."""

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from appliance.lib import database


def test_without_a_url_it_is_sqlite_that_several_processes_can_share() -> None:
    entry = database.from_url("", Path("/srv/db.sqlite3"))
    assert entry["ENGINE"] == "django.db.backends.sqlite3"
    assert entry["NAME"] == "/srv/db.sqlite3"
    assert "journal_mode=WAL" in entry["OPTIONS"]["init_command"]
    assert entry["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    assert entry["OPTIONS"]["timeout"] >= 5


def test_another_sqlite_file_can_be_named() -> None:
    assert database.from_url("sqlite:////data/a.db", Path("/x"))["NAME"] == "//data/a.db"
    assert database.from_url("sqlite:///data/a.db", Path("/x"))["NAME"] == "/data/a.db"


def test_postgresql_is_read_with_escapes_and_options() -> None:
    entry = database.from_url(
        "postgresql://post%40road:p%2Fw@db.example:5433/mail?sslmode=require", Path("/x")
    )
    assert entry["ENGINE"] == "django.db.backends.postgresql"
    assert (entry["USER"], entry["PASSWORD"]) == ("post@road", "p/w")
    assert (entry["HOST"], entry["PORT"], entry["NAME"]) == ("db.example", "5433", "mail")
    assert entry["OPTIONS"] == {"sslmode": "require"}


def test_another_database_is_refused_without_showing_the_password() -> None:
    with pytest.raises(ImproperlyConfigured) as refused:
        database.from_url("mysql://root:hunter2@db/mail", Path("/x"))
    assert "mysql" in str(refused.value)
    assert "hunter2" not in str(refused.value)
