"""Alerts whose subject is gone do not stay open for ever, and people hear why they are over."""

import pytest

from appliance.acme.models import Account, Issuance
from appliance.acme.services import issuances, kinds
from appliance.alerts import registry, services, tasks
from appliance.alerts.models import Alert, Recipient
from appliance.alerts.registry import Kind
from appliance.celery import app
from tests.support.webhooks import WebhookServer
from tests.unit.appliance.alerts.conftest import KIND
from tests.unit.appliance.alerts.test_services import events

pytestmark = pytest.mark.django_db

_LOOKING = (
    "stats.watch_failures",
    "routing.probe_mail_hosts",
    "routing.watch_logins",
    "fleet.watch_nodes",
    "history.tidy",
    "certs.watch_expiry",
    "proof.look_around",
    "alerts.look",
)


def _open() -> list[str]:
    return sorted(Alert.objects.filter(cleared_at=None).values_list("about", flat=True))


def test_what_is_about_something_that_is_gone_is_over(
    hook: Recipient, taker: WebhookServer
) -> None:
    there = ["mx1", "x" * 250]
    registry.register(Kind(KIND, "Something is wrong", subjects=lambda: there))
    for about in ("mx1", "mx2", "x" * 250):
        services.raise_alert(KIND, about, "It is down.")
    assert events(taker) == ["raised"] * 3
    tasks.look()
    assert _open() == ["mx1", "x" * 200]
    assert events(taker) == ["raised"] * 3 + ["cleared"]
    text = Alert.objects.get(about="mx2").cleared_text
    assert text == "There is no mx2 any more: it was deleted, or is called something else now."


def test_a_kind_without_subjects_is_its_raiser_s_affair() -> None:
    services.raise_alert(KIND, "mx1", "It is down.")
    services.clear_orphans()
    assert _open() == ["mx1"]


def test_what_nobody_looks_for_any_more_is_over() -> None:
    services.raise_alert("of.an.older.program", "mx1", "It is down.")
    services.clear_orphans()
    assert Alert.objects.get().cleared_text == "Nothing looks for this any more."


def test_a_deleted_certificate_of_a_ca_leaves_no_alert_behind() -> None:
    account = Account.objects.create(name="ca", directory_url="https://ca", private_key="a key")
    wanted = issuances.save(
        Issuance(account=account, name="mail", names=["mail.example.com"], enabled=False)
    )
    variant = str(wanted.variants.get())
    for kind, about in (
        (kinds.FAILING, variant),
        (kinds.UNPUBLISHED, "mail"),
        (kinds.ACCOUNT, "ca"),
    ):
        services.raise_alert(kind, about, "It does not work.")
    services.clear_orphans()
    assert _open() == sorted([variant, "mail", "ca"])
    wanted.delete()
    services.clear_orphans()
    assert _open() == ["ca"]
    account.delete()
    services.clear_orphans()
    assert _open() == []


def test_everybody_who_notices_trouble_looks_by_himself() -> None:
    app.loader.import_default_modules()
    scheduled = app.conf.beat_schedule
    for name in _LOOKING:
        assert scheduled[name]["task"] in app.tasks, name
