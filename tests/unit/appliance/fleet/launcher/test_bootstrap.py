"""What a first start creates, and what a later one leaves alone."""

import stat
from typing import Any

import pytest
from django.contrib.auth.models import User

from appliance.fleet import queries
from appliance.fleet.launcher import bootstrap
from appliance.fleet.models import Node
from appliance.fleet.services import nodes

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def state(settings: Any, tmp_path: Any) -> None:
    settings.STATE_DIR = tmp_path


def test_the_administrator_is_created_once_and_his_password_is_good() -> None:
    password = bootstrap.create_administrator()
    assert password is not None
    user = User.objects.get(username="admin")
    assert user.check_password(password.reveal())
    assert user.is_superuser
    assert bootstrap.create_administrator() is None


def test_nobody_is_created_beside_people_who_are_there(operator: User) -> None:
    assert bootstrap.create_administrator() is None
    assert User.objects.count() == 1


def test_the_local_node_s_token_is_private_and_stays() -> None:
    assert bootstrap.enrol_local_node() == ""
    path = bootstrap.token_file()
    token = path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert queries.find_by_token(token.strip()) == Node.objects.get(name="local")
    assert bootstrap.enrol_local_node() == ""
    assert path.read_text() == token


@pytest.mark.parametrize("content", [None, "", "of another database\n", "\xff"])
def test_a_token_that_is_not_good_is_replaced(content: str | None) -> None:
    bootstrap.enrol_local_node()
    path = bootstrap.token_file()
    if content is None:
        path.unlink()
    else:
        path.write_text(content, encoding="latin-1")
    assert bootstrap.enrol_local_node() == ""
    assert queries.find_by_token(path.read_text().strip()) == Node.objects.get(name="local")


def test_a_revoked_local_node_is_not_admitted_behind_the_operator_s_back() -> None:
    bootstrap.enrol_local_node()
    node = Node.objects.get(name="local")
    nodes.revoke(node)
    assert "revoked" in bootstrap.enrol_local_node()
    node.refresh_from_db()
    assert node.revoked_at is not None
