"""What every page has in common: the way to it, and forms that also work for those who only look.

An appliance with one of everything is walked.
"""

import html
import json
import re
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import NoReverseMatch, resolve, reverse

from appliance.alerts import services as alerts
from appliance.alerts.models import Recipient
from appliance.credentials import services as credentials
from appliance.fleet.services import nodes
from appliance.history import services as history
from appliance.lib import roles
from appliance.publish import services as publish
from appliance.routing import services as routing
from appliance.routing.models import Account, DomainAlias, MailHost, Route, Verifier
from appliance.servers import services as servers
from appliance.servers.models import ProcessSettings, ServerBlock
from tests.unit.appliance.alerts.conftest import KIND
from tests.unit.appliance.history.wire import NOW, batch, session
from tests.unit.appliance.test_guards import PAGES

pytestmark = pytest.mark.django_db

_CRUMB = re.compile(r'class="pr-crumb [^>]*>\s*(.*?)\s*</', re.DOTALL)
_DATA = re.compile(r'<div x-data="(\{&quot;[^"]*)"')
_WORD = re.compile(r"\b([a-z_]+)(?= [!=]=|\.startsWith)")
"""What a condition looks at."""


@pytest.fixture
def furnished() -> None:
    """An appliance with one of everything."""
    roles.sync()
    servers.create_default_blocks(["mail.example.com"])
    host = routing.save_mail_host(MailHost(name="mx", address="192.0.2.1"))
    routing.save_route(Route(match="default", mail_host=host))
    routing.save_alias(DomainAlias(domain="b.example", target="a.example"))
    routing.save_verifier(Verifier(name="imap", kind="mail_host", mail_host=host))
    credentials.save_account(Account(login="imap"))
    publish.publish()
    nodes.enrol("node1")
    history.ingest(1, batch(session(1)), NOW)
    alerts.raise_alert(KIND, "mx1", "It is down.")
    Recipient.objects.create(name="on call", way="mail", addresses=["a@example.com"])


@pytest.fixture
def help_desk(furnished: None) -> Client:
    """A browser of the help desk."""
    user = User.objects.create_user("helper", is_staff=True)
    user.groups.add(Group.objects.get(name=roles.HELP_DESK))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def viewer(furnished: None, as_viewer: Client) -> Client:
    """A browser of somebody who may see everything."""
    return as_viewer


_OF_MODELS = ("changelist", "add", "change", "history")


def _addresses() -> Iterator[str]:
    """Give the pages of every model and of an object of it, and all the others."""
    known = set()
    for model in admin.site._registry:
        meta = model._meta
        first = model._default_manager.first()
        for page in _OF_MODELS:
            name = f"admin:{meta.app_label}_{meta.model_name}_{page}"
            known |= {name, name.replace(page, "delete")}
            is_of_one = page in ("change", "history")
            if not is_of_one or first is not None:
                with suppress(NoReverseMatch):
                    yield reverse(name, args=[first.pk] if first and is_of_one else ())
    yield from (one for one in PAGES if resolve(one).view_name not in known)


def _pages(client: Client) -> Iterator[tuple[str, str]]:
    for address in _addresses():
        answer = client.get(address)
        kind = answer.headers.get("Content-Type", "")
        if answer.status_code == 200 and kind.startswith("text/html"):
            yield address, answer.text


def _crumbs(page: str) -> list[str]:
    return [html.unescape(one) for one in _CRUMB.findall(page)]


def test_no_step_of_the_way_to_a_page_is_said_twice(
    furnished: None, as_administrator: Client
) -> None:
    walked = 0
    for address, page in _pages(as_administrator):
        steps = _crumbs(page)
        walked += bool(steps)
        assert all(one != following for one, following in pairwise(steps)), address
    assert walked > 60


def test_names_are_written_in_the_way_as_they_were_given(
    furnished: None, as_administrator: Client
) -> None:
    block = ServerBlock.objects.get(name="imap")
    host = MailHost.objects.get()
    page = as_administrator.get(reverse("admin:servers_serverblock_change", args=[block.pk])).text
    assert _crumbs(page) == ["Mail", "Server blocks", "imap"]
    assert _crumbs(as_administrator.get(reverse("backend", args=[host.pk])).text)[-1] == "mx"


@pytest.mark.parametrize("model", [ServerBlock, ProcessSettings, Route, Verifier])
def test_conditions_ask_for_nothing_that_a_page_has_not(model: Any, viewer: Client) -> None:
    meta = model._meta
    conditions = admin.site._registry[model].conditional_fields  # type: ignore[attr-defined]
    asked = {word for one in conditions.values() for word in _WORD.findall(one)}
    key = model.objects.values_list("pk", flat=True).first() or 1
    address = reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[key])
    page = viewer.get(address).text
    given = {name for data in _DATA.findall(page) for name in json.loads(html.unescape(data))}
    assert asked
    assert asked <= given


def _text(page: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())


def _page_of(client: Client, one: Any) -> str:
    meta = one._meta
    answer = client.get(reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[one.pk]))
    return _text(answer.text)


def test_who_only_looks_sees_what_was_chosen(help_desk: Client) -> None:
    block = ServerBlock.objects.get(name="imap")
    chosen = str(block.chosen.get().certificate)
    assert f"Certificates {chosen}" in _page_of(help_desk, block)
    route = Route.objects.get()
    assert "More mail hosts none" in _page_of(help_desk, route)
    other = routing.save_mail_host(MailHost(name="second", address="192.0.2.2"))
    routing.save_route(route, [other])
    assert "More mail hosts second" in _page_of(help_desk, route)


def test_who_only_looks_sees_no_empty_places_for_passwords(help_desk: Client) -> None:
    account = Account.objects.get()
    page = _page_of(help_desk, account)
    for title in ("Imported hash", "Forget password", "Keep the password readable"):
        assert title not in page
    assert "App passwords" not in page
    assert "Verified by" in page


def test_who_may_change_an_account_is_asked_for_a_password(
    furnished: None, as_administrator: Client
) -> None:
    page = _page_of(as_administrator, Account.objects.get())
    for title in ("Imported hash", "Forget password", "App passwords"):
        assert title in page
