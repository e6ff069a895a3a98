"""A renewed certificate is published by itself when nothing else would be with it."""

from datetime import timedelta

import pytest
from django.utils import timezone

from appliance.acme.models import Account, Issuance, Order, Variant
from appliance.acme.services import publishing
from appliance.acme.services.kinds import UNPUBLISHED
from appliance.alerts.models import Alert
from appliance.certs import reading
from appliance.certs import services as certs
from appliance.certs.choices import Event
from appliance.certs.models import Certificate
from appliance.publish import queries as published
from appliance.publish import services as publish
from appliance.servers import services as servers
from appliance.servers.models import ServerBlock
from tests.support.pki import Authority

AUTHORITY = Authority("Test Authority")


def put(certificate: Certificate, event: Event = Event.ISSUED) -> Certificate:
    """Give a certificate another content."""
    pair = AUTHORITY.issue("mail.example.com")
    material = reading.from_pem(pair.pem.encode(), pair.key_pem.encode(), None, timezone.now())
    return certs.save(certificate, material, event=event)


@pytest.fixture
def variant(blocks: dict[str, ServerBlock]) -> Variant:
    """A certificate of ACME that a published server block shows."""
    account = Account.objects.create(name="ca", directory_url="https://ca", private_key="k")
    issuance = Issuance.objects.create(name="mail", account=account, names=["mail.example.com"])
    certificate = put(Certificate(name="mail"))
    block = blocks["imap"]
    block.starttls = "on"
    servers.choose_certificates(block, [certificate])
    servers.save_block(block)
    publish.publish()
    return Variant.objects.create(
        issuance=issuance,
        keys="ec256",
        certificate=certificate,
        fingerprint=certificate.fingerprint,
    )


def renew(variant: Variant) -> Certificate:
    """Store a renewed certificate, as the last step of an order does."""
    assert variant.certificate is not None
    certificate = put(variant.certificate)
    Variant.objects.filter(pk=variant.pk).update(fingerprint=certificate.fingerprint)
    Issuance.objects.update(publish_since=timezone.now())
    return certificate


def active() -> int:
    revision = published.current()
    assert revision is not None
    return revision.number


def test_a_renewed_certificate_is_published_alone(variant: Variant) -> None:
    certificate = renew(variant)
    publishing.publish(timezone.now())
    revision = published.current()
    assert revision is not None
    assert revision.number == 2
    assert "mail" in revision.note
    (server,) = [one for one in published.snapshot(revision).servers if one.name == "imap"]
    assert certificate.pem in server.front_tls.certificates[0].ssl_certificate
    assert Issuance.objects.get().publish_since is None
    assert not published.is_pending()


def test_other_changes_of_the_draft_keep_it_waiting_and_are_said(
    variant: Variant, blocks: dict[str, ServerBlock]
) -> None:
    renew(variant)
    block = ServerBlock.objects.get(name="pop3")
    block.enabled = False
    servers.save_block(block)
    publishing.publish(timezone.now())
    assert active() == 1
    alert = Alert.objects.get(kind=UNPUBLISHED)
    assert "other changes" in alert.text
    publish.publish()
    publishing.publish(timezone.now())
    assert active() == 2
    assert not Alert.objects.filter(kind=UNPUBLISHED, cleared_at=None).exists()


def test_what_an_operator_uploads_is_his_to_publish(variant: Variant) -> None:
    assert variant.certificate is not None
    put(variant.certificate, Event.UPLOADED)
    Issuance.objects.update(publish_since=timezone.now())
    publishing.publish(timezone.now())
    assert active() == 1


def test_another_certificate_that_an_operator_chose_is_his_to_publish(variant: Variant) -> None:
    renew(variant)
    other = put(Certificate(name="other"))
    servers.choose_certificates(ServerBlock.objects.get(name="imap"), [other])
    publishing.publish(timezone.now())
    assert active() == 1


def test_where_it_is_switched_off_it_waits(variant: Variant) -> None:
    Issuance.objects.update(publish_automatically=False)
    renew(variant)
    publishing.publish(timezone.now())
    assert active() == 1
    assert Issuance.objects.get().publish_since is not None
    publish.publish()
    publishing.publish(timezone.now())
    assert Issuance.objects.get().publish_since is None


def test_the_second_of_a_pair_is_waited_for(variant: Variant) -> None:
    other = Variant.objects.create(issuance=variant.issuance, keys="rsa2048")
    now = timezone.now()
    order = Order.objects.create(variant=other, challenge="http-01", created_at=now, next_at=now)
    renew(variant)
    publishing.publish(now)
    assert active() == 1
    # one in trouble is not waited for
    Order.objects.filter(pk=order.pk).update(problem={"kind": "network"})
    publishing.publish(now + timedelta(seconds=1))
    assert active() == 2
