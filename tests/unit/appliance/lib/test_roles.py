"""The roles are there once the database is, and are what docs/staff.md shows."""

from pathlib import Path

import pytest
from django.contrib.auth.models import Group

from appliance.lib import roles

ROOT = Path(__file__).resolve().parents[4]


@pytest.mark.django_db
def test_migrating_makes_the_roles() -> None:
    names = set(Group.objects.filter(permissions__isnull=False).values_list("name", flat=True))
    assert names >= set(roles.ROLES)


def test_the_page_shows_the_table() -> None:
    text = (ROOT / "docs" / "staff.md").read_text(encoding="utf-8")
    shown = {roles.NONE: "–", roles.SEE: "sees", roles.ALL: "everything"}
    for row in roles.TABLE.values():
        cells = (row.title, *(shown[row.of(role)] for role in reversed(roles.ROLES)))
        assert f"| {' | '.join(cells)} |" in text
