"""Model fields made from the contract's declarations."""

from django.db.migrations.writer import MigrationWriter

from appliance.servers import declared
from appliance.servers.models import ServerBlock
from proxycore.contract.fields import settings_of
from proxycore.contract.snapshot import Server


def test_help_default_and_limits_are_the_contracts() -> None:
    field = ServerBlock._meta.get_field("proxy_timeout_ms")
    assert settings_of(Server)["proxy_timeout_ms"].help in str(field.help_text)
    assert "nginx: proxy_timeout." in str(field.help_text)
    assert field.get_default() == 86_400_000


def test_each_object_gets_its_own_list() -> None:
    first, second = ServerBlock(), ServerBlock()
    first.smtp_auth.append("x")
    assert second.smtp_auth == ["plain", "login"]


def test_a_list_default_can_be_written_into_a_migration() -> None:
    default = declared.ListDefault(["plain"])
    written, _ = MigrationWriter.serialize(default)
    assert written == "appliance.servers.declared.ListDefault(['plain'])"
    assert default == declared.ListDefault(["plain"])
    assert hash(default) == hash(declared.ListDefault(["plain"]))
    assert default != declared.ListDefault([])
