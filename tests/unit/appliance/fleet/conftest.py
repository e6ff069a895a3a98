"""A cast of operators, an enrolled node, and publishing without the domain apps."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from channels.layers import channel_layers
from django.contrib.auth.models import Permission, User

from appliance.fleet.models import Node
from appliance.fleet.services import nodes
from appliance.publish import registry
from appliance.publish import services as publish
from appliance.publish.models import ConfigRevision

Publish = Callable[..., ConfigRevision]


@pytest.fixture(autouse=True)
def fresh_channel_layer() -> Iterator[None]:
    """Queues of the in-memory layer belong to an event loop; no test inherits another's."""
    channel_layers.backends.clear()
    yield
    channel_layers.backends.clear()


@pytest.fixture(autouse=True)
def nothing_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Heartbeats come faster in tests than anything may be remembered for."""
    monkeypatch.setattr("appliance.fleet.consumers.node.WANTED_S", -1.0)


@pytest.fixture
def enrolled(db: None) -> tuple[Node, str]:
    """A node and its token."""
    node, token = nodes.enrol("edge-1")
    return node, token.reveal()


@pytest.fixture
def publish_port(monkeypatch: pytest.MonkeyPatch, db: None) -> Publish:
    """Publish a configuration with one IMAP block on the given port."""

    def publish_now(port: int, secret: str = "between-us") -> ConfigRevision:
        server = {
            "name": "imap",
            "protocol": "imap",
            "listens": [{"address": "127.0.0.1", "port": port}],
            "auth_http": {
                "host": "127.0.0.1",
                "headers": [{"name": "X-Auth-Key", "value": secret}],
            },
        }
        origin = registry.Origin('server block "imap"', "/admin/servers/1/")
        section = registry.Section({"servers": [server]}, {"servers[0]": origin})
        monkeypatch.setattr(registry, "_sections", {"test": lambda: section})
        return publish.publish()[0]

    return publish_now


def make_user(name: str, *permissions: str, **more: Any) -> User:
    """Create a user with permissions of the fleet."""
    user = User.objects.create_user(name, password="a long pass phrase", **more)
    user.user_permissions.set(
        Permission.objects.filter(content_type__app_label="fleet", codename__in=permissions)
    )
    return user


@pytest.fixture
def operator(db: None) -> User:
    """May see and disconnect sessions, and manage nodes."""
    return make_user(
        "olga",
        "view_livesession",
        "disconnect_livesession",
        "view_nodecommand",
        "view_node",
        "add_node",
        "change_node",
        "delete_node",
        is_staff=True,
    )


@pytest.fixture
def watcher(db: None) -> User:
    """May only look."""
    return make_user("walt", "view_livesession", "view_node", is_staff=True)


@pytest.fixture
def outsider(db: None) -> User:
    """Staff, but of something else."""
    return make_user("otto", is_staff=True)
