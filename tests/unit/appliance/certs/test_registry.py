"""Sections that other apps bring to a certificate's page."""

from collections.abc import Iterator

import pytest
from django.test import Client
from django.utils import timezone

from appliance.certs import reading, registry, services
from appliance.certs.models import Certificate
from appliance.certs.reading import Refused
from appliance.certs.registry import Section
from appliance.servers import services as servers
from appliance.servers.models import ServerBlock
from tests.support.pki import Authority


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


def test_a_renewal_does_not_give_a_block_two_keys_of_one_kind(
    as_administrator: Client, blocks: dict[str, ServerBlock]
) -> None:
    authority = Authority("Test Root")
    rsa, ec = authority.issue("a.test", kind="rsa"), authority.issue("a.test")
    now = timezone.now()
    pairs = {
        one.name: services.save(
            one, reading.from_pem(pair.pem.encode(), pair.key_pem.encode(), None, now)
        )
        for one, pair in ((Certificate(name="rsa"), rsa), (Certificate(name="ec"), ec))
    }
    servers.choose_certificates(blocks["imap"], list(pairs.values()))
    change = f"/admin/certs/certificate/{pairs['rsa'].pk}/change/"
    data = {
        "name": "rsa",
        "way": "pem",
        "chain": ec.pem,
        "key": ec.key_pem,
        "versions-TOTAL_FORMS": 0,
        "versions-INITIAL_FORMS": 0,
    }
    refused = as_administrator.post(change, data)
    said = refused.context["adminform"].form.errors["key"][0]
    assert said.startswith("Server block imap shows ec already, whose key is of this kind (EC)")
    with pytest.raises(Refused):
        services.save(
            pairs["rsa"], reading.from_pem(ec.pem.encode(), ec.key_pem.encode(), None, now)
        )
    servers.choose_certificates(blocks["imap"], [pairs["rsa"]])
    assert as_administrator.post(change, data).status_code == 302
