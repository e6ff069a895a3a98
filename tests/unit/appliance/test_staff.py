"""Signing in, being locked out, and nobody making himself more than he is."""

from typing import Any

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import Group, User
from django.core.exceptions import ImproperlyConfigured
from django.test import Client

from appliance.lib import clients, lockouts, roles

pytestmark = pytest.mark.django_db
PASSWORD = "canary-7f3a9c-staff"


@pytest.fixture(autouse=True)
def _roles() -> None:
    roles.sync()


@pytest.fixture
def olga() -> User:
    return User.objects.create_superuser("olga", password=PASSWORD)


def administrator() -> tuple[User, Client]:
    user = User.objects.create_user("adam", password=PASSWORD, is_staff=True)
    user.groups.add(Group.objects.get(name=roles.ADMINISTRATOR))
    client = Client()
    client.force_login(user)
    return user, client


def sign_in(client: Client, name: str, password: str, **headers: Any) -> int:
    given = {"username": name, "password": password}
    return client.post("/admin/login/", given, **headers).status_code


def test_a_name_waits_after_five_failures_from_one_address(olga: User, settings: Any) -> None:
    client = Client(REMOTE_ADDR="192.0.2.8")
    for _ in range(settings.AXES_FAILURE_LIMIT):
        last = sign_in(client, "olga", "wrong")
    assert last == 429
    answer = client.post("/admin/login/", {"username": "olga", "password": PASSWORD})
    assert answer.status_code == 429
    assert "Too many failed sign-ins" in answer.content.decode()
    assert "postroad_session" not in client.cookies
    assert lockouts.locked() == {"olga"}
    assert sign_in(Client(REMOTE_ADDR="192.0.2.9"), "olga", PASSWORD) == 302


def test_it_is_unlocked_by_another_administrator(olga: User, settings: Any) -> None:
    client = Client(REMOTE_ADDR="192.0.2.8")
    for _ in range(settings.AXES_FAILURE_LIMIT):
        sign_in(client, "olga", "wrong")
    _, other = administrator()
    assert "locked out" in other.get("/admin/auth/user/").content.decode()
    other.post("/admin/auth/user/", {"action": "unlock", "_selected_action": olga.pk})
    assert sign_in(client, "olga", PASSWORD) == 302


def test_a_password_in_the_field_of_the_name_is_kept_nowhere() -> None:
    sign_in(Client(), PASSWORD, "x")
    assert PASSWORD not in repr(list(AccessAttempt.objects.values()))
    assert AccessAttempt.objects.count() == 1


@pytest.mark.parametrize(
    ("trusted", "peer", "said", "address"),
    [
        ((), "192.0.2.1", "198.51.100.7", "192.0.2.1"),
        (("192.0.2.0/24",), "192.0.2.1", "198.51.100.7", "198.51.100.7"),
        (("192.0.2.0/24",), "192.0.2.1", "6.6.6.6, 198.51.100.7, 192.0.2.2", "198.51.100.7"),
        (("192.0.2.0/24",), "203.0.113.1", "198.51.100.7", "203.0.113.1"),
        (("192.0.2.0/24",), "192.0.2.1", "nonsense", "192.0.2.1"),
        (("192.0.2.0/24",), "::ffff:192.0.2.1", "2001:db8::1", "2001:db8::1"),
        (("192.0.2.0/24",), "", "198.51.100.7", ""),
    ],
)
def test_only_trusted_proxies_say_where_somebody_comes_from(
    settings: Any, trusted: tuple[str, ...], peer: str, said: str, address: str
) -> None:
    settings.TRUSTED_PROXIES = clients.networks(trusted)
    assert clients.believed(peer, said) == address


def test_a_proxy_that_is_no_address_is_refused() -> None:
    with pytest.raises(ImproperlyConfigured, match="TRUSTED_PROXIES"):
        clients.networks(["proxy.example.com"])


def test_lock_outs_count_the_client_behind_a_trusted_proxy(olga: User, settings: Any) -> None:
    settings.TRUSTED_PROXIES = clients.networks(["127.0.0.1"])
    for _ in range(settings.AXES_FAILURE_LIMIT):
        sign_in(Client(), "olga", "wrong", HTTP_X_FORWARDED_FOR="198.51.100.7")
    elsewhere = sign_in(Client(), "olga", PASSWORD, HTTP_X_FORWARDED_FOR="198.51.100.8")
    assert elsewhere == 302


def test_an_administrator_makes_nobody_a_superuser(olga: User) -> None:
    adam, client = administrator()
    given = {"username": "adam", "is_active": "on", "is_staff": "on", "is_superuser": "on"}
    group = Group.objects.get(name=roles.ADMINISTRATOR)
    client.post(f"/admin/auth/user/{adam.pk}/change/", {**given, "groups": group.pk})
    adam.refresh_from_db()
    assert adam.is_staff
    assert not adam.is_superuser


def test_who_is_made_by_an_administrator_can_sign_in() -> None:
    _, client = administrator()
    given = {"username": "ned", "password1": PASSWORD, "password2": PASSWORD}
    answer = client.post("/admin/auth/user/add/", {**given, "usable_password": "true"})
    assert answer.status_code == 302
    ned = User.objects.get(username="ned")
    assert ned.is_staff
    assert not ned.is_superuser
    newcomer = Client()
    assert sign_in(newcomer, "ned", PASSWORD) == 302
    assert newcomer.get("/admin/").status_code == 200
    answer = client.post(f"/admin/auth/user/{ned.pk}/change/", {"username": "ned"})
    ned.refresh_from_db()
    assert not ned.is_staff, "it can be taken away again"


def test_an_administrator_takes_over_no_superuser(olga: User) -> None:
    _, client = administrator()
    given = {"password1": "stolen-7f3a9c", "password2": "stolen-7f3a9c", "usable_password": "true"}
    assert client.post(f"/admin/auth/user/{olga.pk}/password/", given).status_code == 403
    assert client.post(f"/admin/auth/user/{olga.pk}/delete/", {"post": "yes"}).status_code == 403
    chosen = {"action": "delete_selected", "_selected_action": olga.pk, "post": "yes"}
    client.post("/admin/auth/user/", chosen)
    olga.refresh_from_db()
    assert olga.check_password(PASSWORD)


def test_a_role_is_not_edited_by_hand(olga: User) -> None:
    client = Client()
    client.force_login(olga)
    group = Group.objects.get(name=roles.HELP_DESK)
    address = f"/admin/auth/group/{group.pk}"
    assert client.post(f"{address}/change/", {"name": "x"}).status_code == 403
    assert client.post(f"{address}/delete/", {"post": "yes"}).status_code == 403


def test_somebody_changes_his_own_password_and_stays_signed_in(olga: User) -> None:
    client, other = Client(), Client()
    for one in (client, other):
        assert sign_in(one, "olga", PASSWORD) == 302
    new = "another-canary-7f3a9c"
    given = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    assert client.post("/admin/password_change/", given).status_code == 302
    assert client.get("/admin/").status_code == 200
    assert other.get("/admin/").status_code == 302, "other browsers are signed out"
