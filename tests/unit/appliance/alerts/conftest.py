"""Somebody who is told, and a server that takes webhooks."""

from collections.abc import Iterator

import pytest

from appliance.alerts import registry
from appliance.alerts.models import Recipient
from appliance.alerts.registry import Kind
from tests.support.webhooks import WebhookServer

KIND = "test.trouble"


@pytest.fixture(autouse=True)
def _kind() -> Iterator[None]:
    registry.register(Kind(KIND, "Something is wrong", "Mend it."))
    yield
    registry._kinds.pop(KIND)


@pytest.fixture
def taker() -> Iterator[WebhookServer]:
    with WebhookServer() as server:
        yield server


@pytest.fixture
def hook(db: None, taker: WebhookServer) -> Recipient:
    """Somebody who is told by webhook."""
    return Recipient.objects.create(
        name="on call", way="webhook", webhook_url=taker.url, webhook_host="127.0.0.1"
    )
