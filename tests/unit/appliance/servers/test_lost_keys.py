"""With another key file than the database's, what is stored stays, and nothing is published."""

from typing import Any

import pytest
from cryptography.fernet import Fernet

from appliance.certs import queries, services
from appliance.certs.models import Certificate
from appliance.fleet.launcher import bootstrap
from appliance.lib.vault import Undecryptable
from appliance.publish import services as publish
from appliance.servers import services as servers
from appliance.servers.models import ServerBlock

pytestmark = pytest.mark.django_db


def test_a_lost_key_is_named_and_nothing_stored_is_lost(
    blocks: dict[str, ServerBlock], settings: Any
) -> None:
    made = services.make_self_signed("mail.example.com", ["mail.example.com"])
    servers.choose_certificates(blocks["imap"], [made])
    publish.publish()
    former = settings.ENCRYPTION_KEYS
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    (lost,) = queries.unreadable()
    with pytest.raises(Undecryptable):
        lost.private_key.reveal()
    with pytest.raises(
        publish.NotPublishable, match=r"the key of certificate “mail\.example\.com”"
    ):
        publish.publish()
    assert "Certificates: mail.example.com." in bootstrap.unreadable()
    lost.save()
    # its lines below the present one
    settings.ENCRYPTION_KEYS = [*settings.ENCRYPTION_KEYS, *former]
    assert bootstrap.unreadable() == ""
    assert "PRIVATE KEY" in Certificate.objects.get().private_key.reveal()
    assert publish.validate() == ()
