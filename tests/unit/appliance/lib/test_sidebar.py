"""The admin's frame: sidebar, header, static files, and who may see them."""

import pytest
from django.test import Client
from django.urls import reverse

from appliance.lib.sidebar import GROUPS


def _titles(client: Client) -> list[str]:
    navigation = client.get(reverse("admin:index")).context["sidebar_navigation"]
    return [str(group["title"]) for group in navigation]


def test_the_administrator_sees_every_group_in_order(as_administrator: Client) -> None:
    titles = _titles(as_administrator)
    assert titles == [group for group in GROUPS if group in titles]
    assert {"Mail", "Routing", "Certificates", "Publish", "Fleet", "Staff"} <= set(titles)


def test_staff_without_permissions_sees_no_group(as_newcomer: Client) -> None:
    assert _titles(as_newcomer) == []


def test_every_entry_leads_to_a_page(as_administrator: Client) -> None:
    navigation = as_administrator.get(reverse("admin:index")).context["sidebar_navigation"]
    for group in navigation:
        for item in group["items"]:
            assert as_administrator.get(item["link"]).status_code == 200, item


def test_who_is_not_logged_in_is_sent_to_the_login(client: Client, db: None) -> None:
    answer = client.get(reverse("admin:index"))
    assert answer.status_code == 302
    assert reverse("admin:login") in answer.headers["Location"]
    assert "Postroad" in client.get(reverse("admin:login")).text


def test_the_root_leads_to_the_admin(client: Client) -> None:
    assert client.get("/").headers["Location"] == reverse("admin:index")


@pytest.mark.parametrize("file", ["unfold/css/styles.css", "admin/js/core.js"])
def test_static_files_are_served_without_debug(client: Client, db: None, file: str) -> None:
    answer = client.get(f"/static/{file}")
    assert answer.status_code == 200
    assert b"".join(answer.streaming_content)  # type: ignore[attr-defined]
    answer.close()
