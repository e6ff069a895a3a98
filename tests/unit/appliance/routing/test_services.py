"""Everything that writes routing, and the generation that nodes compare."""

from typing import Any

import pytest
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.core.exceptions import ValidationError
from django.db.models import ProtectedError

from appliance.lib import doorbell
from appliance.publish import services as publishing
from appliance.routing import queries, services
from appliance.routing.choices import MatchKind, VerifierKind
from appliance.routing.models import Account, MailHost, Route, Verifier
from appliance.servers import services as servers
from appliance.servers.models import Listener
from proxycore.contract.secret import Secret


def test_every_change_raises_the_generation(first_host: MailHost) -> None:
    before = queries.generation()
    route = services.save_route(Route(match=MatchKind.DEFAULT, mail_host=first_host))
    account = services.save_account(Account(login="joe"))
    services.save_mail_host(first_host)
    assert queries.generation() == before + 3
    services.delete([route, account])
    assert queries.generation() == before + 4


def test_the_generation_begins_at_zero(db: None) -> None:
    assert queries.generation() == 0
    assert services.bump_generation() == 1


def test_what_is_refused_changes_nothing(first_host: MailHost) -> None:
    before = queries.generation()
    with pytest.raises(ValidationError):
        services.save_mail_host(MailHost(name="x", address="no name"))
    with pytest.raises(ValidationError):
        services.save_route(Route(match=MatchKind.PATTERN, value="(", mail_host=first_host))
    with pytest.raises(ValidationError):
        services.save_mail_host(MailHost(name="x", address="192.0.2.1", imap_port=70000))
    assert queries.generation() == before


def test_a_mail_host_in_use_is_not_deleted(first_host: MailHost) -> None:
    services.save_route(Route(match=MatchKind.DEFAULT, mail_host=first_host))
    with pytest.raises(ProtectedError):
        services.delete([first_host])
    assert MailHost.objects.filter(pk=first_host.pk).exists()


def test_a_route_without_a_position_goes_to_the_end(first_host: MailHost) -> None:
    routes = [
        services.save_route(Route(match=MatchKind.USER, value=name, mail_host=first_host))
        for name in ("ann", "bob")
    ]
    assert [route.position for route in routes] == [10, 20]


def test_a_route_without_a_position_goes_before_the_one_for_everybody_else(
    first_host: MailHost,
) -> None:
    def add(match: MatchKind, value: str = "", **more: Any) -> Route:
        return services.save_route(Route(match=match, value=value, mail_host=first_host, **more))

    add(MatchKind.LETTERS, "a")
    stop = add(MatchKind.DEFAULT)
    assert stop.position == 20
    for name in ("ann", "bob", "cat", "dan", "eve", "fay"):
        assert add(MatchKind.USER, name).pk not in queries.unreachable()
    only_imap = add(MatchKind.DEFAULT, protocol="imap")
    assert only_imap.pk in queries.unreachable()
    values = [route.value for route in Route.objects.all()]
    assert values == ["a", "ann", "bob", "cat", "dan", "eve", "fay", "", ""]
    assert len(set(Route.objects.values_list("position", flat=True))) == 9


def test_another_protocol_s_catch_all_is_no_obstacle(first_host: MailHost) -> None:
    stop = services.save_route(
        Route(match=MatchKind.DEFAULT, protocol="imap", mail_host=first_host)
    )
    route = services.save_route(
        Route(match=MatchKind.USER, value="joe", protocol="pop3", mail_host=first_host)
    )
    assert route.position > stop.position


@pytest.mark.parametrize(
    ("address", "port"),
    [
        ("127.0.0.1", 1143),
        ("::1", 1143),
        ("127.0.0.1", 8000),
        ("192.0.2.77", 3143),
    ],
)
def test_a_mail_host_that_is_ourselves_is_refused(db: None, address: str, port: int) -> None:
    (block, *_) = servers.create_default_blocks()
    servers.save_listener(Listener(block=block, address="192.0.2.77", port=3143))
    host = MailHost(name="loop", address=address, imap_port=port)
    with pytest.raises(ValidationError, match="come back here for ever") as refused:
        services.save_mail_host(host)
    assert list(refused.value.message_dict) == ["imap_port"]
    host.imap_port = 4143
    services.save_mail_host(host)


def test_what_was_published_is_a_door_as_well_as_what_is_drafted(db: None) -> None:
    (block, *_) = servers.create_default_blocks()
    publishing.publish()
    servers.delete_blocks([block])
    with pytest.raises(ValidationError, match="our own listener"):
        services.save_mail_host(MailHost(name="loop", address="127.0.0.1", imap_port=1143))


@pytest.mark.parametrize("address", ["224.0.0.1", "ff02::1", "0.0.0.0", "::", "255.255.255.255"])
def test_an_address_of_no_single_machine_is_refused(db: None, address: str) -> None:
    with pytest.raises(ValidationError, match="no address of one machine") as refused:
        services.save_mail_host(MailHost(name="x", address=address))
    assert "address" in refused.value.message_dict


def test_two_spellings_are_one_account(db: None) -> None:
    services.save_account(Account(login=" Joe@Example.com "))
    assert Account.objects.get().login == "joe@example.com"
    with pytest.raises(ValidationError, match="already exists"):
        services.save_account(Account(login="JOE@example.com"))


def test_a_password_stays_until_replaced_or_dropped(db: None) -> None:
    account = services.save_account(Account(login="joe"), password=Secret("one"))
    first = account.password_hash
    assert services.save_account(account).password_hash == first
    assert services.save_account(account, password=Secret("two")).password_hash != first
    assert services.save_account(account, forget_password=True).password_hash == ""


@pytest.mark.django_db(transaction=True)
def test_a_change_rings_with_nothing_but_the_generation() -> None:
    layer = get_channel_layer()
    channel = async_to_sync(layer.new_channel)()
    async_to_sync(layer.group_add)(doorbell.NODES_GROUP, channel)
    services.save_account(Account(login="joe"), password=Secret("one"))
    heard = async_to_sync(layer.receive)(channel)
    assert heard == {"type": "routes.changed", "generation": queries.generation()}


def test_every_change_of_an_account_or_its_verifier_begins_a_new_epoch(db: None) -> None:
    verifier = services.save_verifier(Verifier(name="old"))
    account = services.save_account(Account(login="joe", verifier=verifier))
    other = services.save_account(Account(login="ann"))
    seen = [account.epoch]
    seen.append(services.save_account(account).epoch)
    services.save_verifier(verifier)
    account.refresh_from_db()
    seen.append(account.epoch)
    assert seen == sorted(set(seen))
    assert Account.objects.get(pk=other.pk).epoch == other.epoch


def test_an_imported_hash_is_stored_in_its_form(db: None) -> None:
    account = services.save_account(
        Account(login="joe"), imported_hash=Secret("{SSHA}1pswStEF71naRHFw7vEE3bpnn923EH7m")
    )
    assert account.password_hash == "{SSHA}1pswStEF71naRHFw7vEE3bpnn923EH7m"
    with pytest.raises(ValidationError, match="The scheme is none of") as refused:
        services.save_account(Account(login="ann"), imported_hash=Secret("{MD5}x"))
    assert "imported_hash" in refused.value.message_dict
    assert not Account.objects.filter(login="ann").exists()


def test_a_better_hash_replaces_only_the_one_it_is_of(db: None) -> None:
    account = services.save_account(Account(login="joe"), password=Secret("x"))
    before = queries.generation()
    old = account.password_hash
    assert services.replace_hash(account.pk, old, "better")
    assert not services.replace_hash(account.pk, old, "worse")
    account.refresh_from_db()
    assert account.password_hash == "better"
    assert queries.generation() == before


def test_networks_are_checked_where_they_are_typed(db: None) -> None:
    with pytest.raises(ValidationError, match="is no network") as refused:
        services.save_account(Account(login="joe", networks="x"))
    assert "networks" in refused.value.message_dict


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("url", {"url": ""}),
        ("url", {"url": "http://[x"}),
        ("header", {"url": "127.0.0.1:80/auth", "header": "X-Key"}),
        ("header", {"url": "127.0.0.1:80/auth", "secret": "canary"}),
    ],
)
def test_a_verifier_is_refused_at_the_field_that_is_wrong(
    db: None, field: str, values: dict[str, str]
) -> None:
    with pytest.raises(ValidationError) as refused:
        services.save_verifier(Verifier(name="x", kind=VerifierKind.AUTH_HTTP, **values))
    assert field in refused.value.message_dict


def test_a_verifier_keeps_only_what_belongs_to_its_kind(first_host: MailHost) -> None:
    by_login = services.save_verifier(
        Verifier(name="a", mail_host=first_host, url="x", header="X-Key", secret="s")
    )
    assert (by_login.url, by_login.header, bool(by_login.secret)) == ("", "", False)
    by_http = services.save_verifier(
        Verifier(name="b", kind=VerifierKind.AUTH_HTTP, url="127.0.0.1:80/a", mail_host=first_host)
    )
    assert by_http.mail_host is None


def test_a_verifier_in_use_is_not_deleted(db: None) -> None:
    verifier = services.save_verifier(Verifier(name="old"))
    services.save_account(Account(login="joe", verifier=verifier))
    with pytest.raises(ProtectedError):
        services.delete([verifier])


def test_a_login_has_no_tabs_inside(db: None) -> None:
    with pytest.raises(ValidationError, match="no tabs") as refused:
        services.save_account(Account(login="jo\te"))
    assert "login" in refused.value.message_dict
