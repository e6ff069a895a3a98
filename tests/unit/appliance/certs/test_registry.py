"""Sections that other apps bring to a certificate's page."""

from collections.abc import Iterator

import pytest
from django.test import Client

from appliance.certs import registry, services
from appliance.certs.models import Certificate
from appliance.certs.registry import Section


@pytest.fixture
def certificate(db: None) -> Iterator[Certificate]:
    yield services.make_self_signed("mail", ["mail.example.com"])
    registry._builders.pop("test", None)


def test_a_section_is_shown_on_the_page(as_administrator: Client, certificate: Certificate) -> None:
    def served(one: Certificate) -> Section:
        context = {"panels": [], "uses": ["nowhere"], "days": one.name}
        return Section("Served", "certs/certificate_facts.html", context, "served", "since noon")

    registry.register_section(served, "test")
    page = as_administrator.get(f"/admin/certs/certificate/{certificate.pk}/change/").text
    assert 'id="served"' in page
    assert "since noon" in page


def test_who_has_nothing_to_say_is_not_shown(certificate: Certificate) -> None:
    registry.register_section(lambda one: None, "test")
    assert [one.title for one in registry.sections(certificate)] == []
