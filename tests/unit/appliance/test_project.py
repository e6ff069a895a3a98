"""The project as a whole: settings by environment, migrations, checks, background work."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.management import call_command

from appliance import celery_app

ROOT = Path(__file__).parents[3]
SHOW = """
import json
from django.conf import settings
names = ("ALLOWED_HOSTS DEBUG SECRET_KEY SECRET_KEY_FALLBACKS CELERY_BROKER_URL AUTH_HTTP_HOST"
         " AUTH_HTTP_PORT SESSION_COOKIE_SECURE CHANNEL_LAYERS DATABASES").split()
print(json.dumps({name: getattr(settings, name) for name in names}))
"""


def _settings(state_dir: Path, **variables: str) -> dict[str, Any]:
    environment = {
        "PATH": os.environ["PATH"],
        "DJANGO_SETTINGS_MODULE": "appliance.settings",
        "POSTROAD_STATE_DIR": str(state_dir),
        **{f"POSTROAD_{name}": value for name, value in variables.items()},
    }
    shown = subprocess.run(
        [sys.executable, "-c", SHOW], cwd=ROOT, env=environment, capture_output=True, check=True
    )
    found: dict[str, Any] = json.loads(shown.stdout)
    return found


def test_the_embedded_defaults_need_nothing(tmp_path: Path) -> None:
    state = tmp_path / "var"
    shown = _settings(state)
    assert shown["DEBUG"] is False
    assert shown["ALLOWED_HOSTS"] == ["localhost", "127.0.0.1", "[::1]"]
    assert shown["DATABASES"]["default"]["NAME"] == str(state / "db.sqlite3")
    assert shown["CELERY_BROKER_URL"].startswith("postroadfiles://")
    assert (shown["AUTH_HTTP_HOST"], shown["AUTH_HTTP_PORT"]) == ("127.0.0.1", 8001)
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    assert stat.S_IMODE((state / "secret.key").stat().st_mode) == 0o600
    assert (state / "broker" / "messages").is_dir()


def test_the_signing_key_is_not_the_encryption_key(tmp_path: Path) -> None:
    shown = _settings(tmp_path)
    assert (tmp_path / "secret.key").read_text().strip() not in json.dumps(shown)
    assert _settings(tmp_path)["SECRET_KEY"] == shown["SECRET_KEY"]
    assert _settings(tmp_path / "other")["SECRET_KEY"] != shown["SECRET_KEY"]


def test_grown_up_is_only_settings(tmp_path: Path) -> None:
    shown = _settings(
        tmp_path,
        REDIS_URL="redis://127.0.0.1:6380/1",
        DATABASE_URL="postgresql://postroad@db.example/mail",
        HTTP_ADDRESS="0.0.0.0",
        HTTPS="on",
        ALLOWED_HOSTS="admin.example.com",
    )
    assert shown["CELERY_BROKER_URL"] == "redis://127.0.0.1:6380/1"
    assert shown["CHANNEL_LAYERS"]["default"]["BACKEND"].startswith("channels_redis.")
    assert shown["DATABASES"]["default"]["ENGINE"].endswith("postgresql")
    assert shown["ALLOWED_HOSTS"] == ["admin.example.com"]
    assert shown["AUTH_HTTP_HOST"] == "127.0.0.1"
    assert shown["SESSION_COOKIE_SECURE"] is True


@pytest.mark.parametrize("label", ["publish", "servers", "routing", "authhttp"])
def test_models_and_migrations_agree(db: None, label: str) -> None:
    call_command("makemigrations", label, check=True, dry_run=True, verbosity=0)


def test_the_system_checks_find_nothing() -> None:
    call_command("check", fail_level="WARNING")


def test_a_database_without_tables_is_a_sentence(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "POSTROAD_STATE_DIR": str(tmp_path / "var")}
    done = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), "publish"],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 1
    said = done.stderr.decode()
    assert "Traceback" not in said
    assert said.startswith("The database cannot be used: no such table")
    assert "manage.py migrate" in said


def test_the_tasks_that_apps_schedule_are_gathered() -> None:
    wanted = {}
    for config in apps.get_app_configs():
        wanted.update(getattr(config, "beat_schedule", {}))
    celery_app.loader.import_default_modules()
    celery_app.finalize()
    assert celery_app.conf.beat_schedule == wanted
    assert all(entry["task"] in celery_app.tasks for entry in wanted.values())


def test_a_message_goes_through_the_broker_of_files() -> None:
    with celery_app.connection_for_write() as connection:
        queue = connection.SimpleQueue("postroad-test")
        queue.put({"hello": "world"})
        message = queue.get(timeout=5)
        message.ack()
        queue.close()
    assert message.payload == {"hello": "world"}
