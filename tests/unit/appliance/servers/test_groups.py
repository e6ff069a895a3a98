"""Groups of nodes as they are drafted: at the block, its listeners, in revisions."""

import io
import zipfile
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.test import Client

from appliance.audit.models import Entry
from appliance.publish import draft, queries, transfer
from appliance.publish import services as publish
from appliance.publish.diff import compare
from appliance.servers import services
from appliance.servers.models import Listener, NodeGroup, ServerBlock
from proxycore.contract.snapshot import Server
from proxycore.nginxconf import load_text
from tests.unit.appliance.servers.test_admin import PAGE, _change, _form

PUBLISH = "/admin/publish/configrevision/"


@pytest.fixture
def dmz(db: None) -> NodeGroup:
    return services.save_group(NodeGroup(name="dmz"))


@pytest.fixture
def inside(db: None) -> NodeGroup:
    return services.save_group(NodeGroup(name="inside"))


def _block(name: str, port: int, *groups: NodeGroup, **more: Any) -> ServerBlock:
    block = services.save_block(ServerBlock(name=name, protocol="imap", **more))
    services.choose_groups(block, groups)
    services.save_listener(Listener(block=block, port=port))
    return block


def _drafted(name: str) -> Server:
    snapshot = draft.build().snapshot
    assert snapshot is not None
    return next(one for one in snapshot.servers if one.name == name)


@pytest.mark.parametrize("name", ["", "two words", "-x", "a\n", "é", "x" * 51])
def test_a_group_has_a_name_that_revisions_can_have(db: None, name: str) -> None:
    with pytest.raises(ValidationError) as refused:
        services.save_group(NodeGroup(name=name))
    assert set(refused.value.message_dict) == {"name"}


def test_the_name_of_a_group_stays(dmz: NodeGroup) -> None:
    dmz.note = "towards the world"
    services.save_group(dmz)
    dmz.name = "outside"
    with pytest.raises(ValidationError, match="Revisions name the group by it"):
        services.save_group(dmz)
    dmz.refresh_from_db()
    assert (dmz.name, dmz.note) == ("dmz", "towards the world")


def test_blocks_of_two_groups_may_have_one_socket(dmz: NodeGroup, inside: NodeGroup) -> None:
    _block("outer", 2143, dmz)
    _block("inner", 2143, inside)
    assert publish.validate() == ()
    with pytest.raises(ValidationError, match=r"Server block “outer” listens on \*:2143 already"):
        _block("everywhere", 2143)
    with pytest.raises(ValidationError, match="listens on"):
        _block("both", 2143, inside, dmz)


def test_what_is_published_says_which_groups_run_a_block(dmz: NodeGroup, inside: NodeGroup) -> None:
    outer = _block("outer", 2143, dmz)
    assert _drafted("outer").groups == ("dmz",)
    first, _ = publish.publish()
    services.choose_groups(outer, [inside, dmz])
    assert [str(change) for change in queries.pending().changes] == [
        'server block "outer": groups changed from dmz to dmz inside'
    ]
    services.choose_groups(outer, [])
    assert [str(change) for change in queries.pending().changes] == [
        'server block "outer": groups changed from dmz to every node'
    ]
    second, _ = publish.publish()
    assert set(first.parts) == {"", "dmz"}
    assert second.parts == {}


def test_a_revision_loaded_again_brings_back_groups_that_are_gone(
    dmz: NodeGroup, inside: NodeGroup
) -> None:
    _block("outer", 2143, dmz)
    _block("inner", 2143, inside)
    first, _ = publish.publish()
    services.delete_blocks(ServerBlock.objects.all())
    services.delete_group(dmz)
    publish.load_into_draft(first.number)
    assert _drafted("outer").groups == ("dmz",)
    assert not queries.is_pending()


def test_what_is_imported_stays_in_its_groups(dmz: NodeGroup) -> None:
    _block("outer", 2143, dmz)
    text = (
        "events {} mail { server {\n# postroad: name outer;\nprotocol imap; listen 2144;"
        " auth_http 192.0.2.1:80/x; } server { protocol pop3; listen 2110;"
        " auth_http 192.0.2.1:80/x; } }"
    )
    for mode in ("add", "all"):
        found = transfer.preview(text, mode)  # type: ignore[arg-type]
        assert found.target is not None
        groups = {one.name: one.groups for one in found.target.servers}
        assert groups.pop("outer") == ("dmz",)
        assert set(groups.values()) == {()}
        assert found.is_possible, found.refusals
    assert not any("groups" in str(one) for one in compare(found.target, found.target))


def test_a_group_is_exported_by_itself(
    as_administrator: Client, dmz: NodeGroup, inside: NodeGroup
) -> None:
    _block("outer", 2143, dmz)
    _block("inner", 2143, inside)

    def exported(asked: str) -> dict[str, str]:
        answer = as_administrator.get(f"/admin/publish/configrevision/export/{asked}")
        with zipfile.ZipFile(io.BytesIO(answer.content)) as packed:
            return {name: packed.read(name).decode() for name in packed.namelist()}

    whole, part = exported(""), exported("?group=dmz")
    assert "# only for nodes of these groups: dmz\n" in whole["nginx.conf"]
    assert "Export one group for a file that works." in whole["README.txt"]
    assert load_text(whole["nginx.conf"], name="nginx.conf", directory="/").snapshot is None
    assert "Export one group" not in part["README.txt"]
    loaded = load_text(part["nginx.conf"], name="nginx.conf", directory="/").snapshot
    assert loaded is not None
    assert [one.name for one in loaded.servers] == ["outer"]
    said = io.StringIO()
    call_command("export_nginx_conf", group="inside", stdout=said, stderr=io.StringIO())
    assert "name inner;" in said.getvalue()
    assert "outer" not in said.getvalue()
    with pytest.raises(CommandError, match="no server block for group third"):
        call_command("export_nginx_conf", group="third")
    assert "Export it for group dmz" in as_administrator.get(PUBLISH).text


def test_the_form_asks_for_groups_where_there_are_any(
    as_administrator: Client, blocks: dict[str, ServerBlock]
) -> None:
    url = _change(blocks["imap"])
    assert "Only on nodes of" not in as_administrator.get(url).text
    assert "Runs on" not in as_administrator.get(PAGE).text
    group = services.save_group(NodeGroup(name="dmz", note="towards the world"))
    page = as_administrator.get(url).text
    assert "Only on nodes of" in page
    assert "dmz (towards the world)" in page
    data = _form(as_administrator, url, groups=[group.pk])
    answer = as_administrator.post(url, data)
    assert answer.status_code == 302, answer.context["errors"]
    assert list(blocks["imap"].groups.all()) == [group]
    assert _drafted("imap").groups == ("dmz",)
    assert "Runs on" in as_administrator.get(PAGE).text
    assert any("dmz" in str(one.changes) for one in Entry.objects.filter(name="imap"))


def test_the_form_sees_a_clash_with_the_groups_as_they_will_be(
    as_administrator: Client, administrator: User, dmz: NodeGroup, inside: NodeGroup
) -> None:
    _block("outer", 2143, dmz)
    inner = _block("inner", 2143, inside)
    url = _change(inner)
    answer = as_administrator.post(url, _form(as_administrator, url, groups=[dmz.pk]))
    assert "Server block “outer” listens on *:2143 already." in answer.text
    assert list(inner.groups.all()) == [inside]
    data = _form(as_administrator, f"{PAGE}add/", name="third", protocol="imap")
    data |= {"listeners-0-address": "*", "listeners-0-port": 2143}
    assert "listens on *:2143 already" in as_administrator.post(f"{PAGE}add/", data).text
    third = services.save_group(NodeGroup(name="third"))
    answer = as_administrator.post(f"{PAGE}add/", data | {"groups": [third.pk]})
    assert answer.status_code == 302, answer.context["errors"]
