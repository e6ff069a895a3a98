"""What docs/production.md tells to set passes Django's examination; what browsers are told."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import Client

ROOT = Path(__file__).resolve().parents[3]
DOCUMENT = ROOT / "docs" / "production.md"


def documented() -> dict[str, str]:
    """Give the environment that the page tells to set."""
    text = DOCUMENT.read_text(encoding="utf-8")
    block = re.search(r"```sh\n(.*?)```", text, re.S)
    assert block
    return dict(re.findall(r"^(POSTROAD_\w+)=(\S+)", block[1], re.M))


def test_the_documented_settings_pass_the_examination(tmp_path: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("POSTROAD_")}
    given = {**documented(), "POSTROAD_STATE_DIR": str(tmp_path)}
    assert given["POSTROAD_HTTPS"] == "1"
    for name in ("POSTROAD_DATABASE_URL", "POSTROAD_REDIS_URL"):
        given.pop(name, None)  # the examination asks neither
    run = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=ROOT,
        env={
            **kept,
            **given,
            "PYTHONPATH": str(ROOT),
            "DJANGO_SETTINGS_MODULE": "appliance.settings",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.django_db
def test_browsers_are_told_what_a_page_may_do() -> None:
    client = Client()
    client.force_login(User.objects.create_superuser("olga"))
    for address in ("/admin/", "/admin/login/", "/admin/no-such-page/", "/admin/routing/route/"):
        headers = client.get(address).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self' 'unsafe-eval'" in policy
        assert "'unsafe-inline'" not in policy.partition("script-src")[2].partition(";")[0]
        assert "frame-ancestors 'none'" in policy
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.django_db
def test_cookies_are_out_of_reach_of_scripts_and_of_other_sites() -> None:
    User.objects.create_superuser("olga", password="canary-7f3a9c-cookie")
    client = Client()
    client.post("/admin/login/", {"username": "olga", "password": "canary-7f3a9c-cookie"})
    for name in ("postroad_session", "postroad_csrf"):
        cookie = client.cookies[name]
        assert cookie["httponly"]
        assert cookie["samesite"] == "Lax"


@pytest.mark.parametrize("path", sorted((ROOT / "templates").rglob("*.html")), ids=lambda p: p.name)
def test_a_template_has_no_script_of_its_own(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)", text), path
    assert not re.search(r"\son[a-z]+\s*=\s*[\"']", text), path
    assert "javascript:" not in text
