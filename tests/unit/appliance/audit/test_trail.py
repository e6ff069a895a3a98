"""Who changed what: every write of a watched model is an entry, without its secrets."""

import csv
import io
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.db import transaction
from django.test import Client
from django.utils import timezone

from appliance.audit import actors, services
from appliance.audit.choices import Action, ActorKind
from appliance.audit.models import AppendOnly, Entry
from appliance.audit.watched import UNWATCHED, WATCHED
from appliance.credentials import services as credentials
from appliance.credentials.models import AppPassword
from appliance.fleet.services import nodes
from appliance.lib import rotation
from appliance.publish import services as publish
from appliance.publish import trail, transfer
from appliance.publish.diff import Change
from appliance.routing import services as routing
from appliance.routing.models import Account, MailHost
from appliance.servers import services as servers
from appliance.servers.models import Listener, ServerBlock
from proxycore.contract.secret import Secret
from tests.unit.appliance.publish.test_transfer import CONF

pytestmark = pytest.mark.django_db
CANARY = "canary-7f3a9c-audit"


def newest() -> Entry:
    entry = Entry.objects.first()
    assert entry is not None
    return entry


@pytest.fixture
def host() -> MailHost:
    return routing.save_mail_host(MailHost(name="mx", address="192.0.2.1"))


@pytest.fixture
def operator() -> Client:
    client = Client(REMOTE_ADDR="192.0.2.77")
    client.force_login(User.objects.create_superuser("olga"))
    return client


def test_every_model_is_watched_or_said_not_to_be() -> None:
    ours = {
        model._meta.label_lower
        for model in apps.get_models()
        if model.__module__.startswith("appliance.")
    } | {"auth.user", "auth.group"}
    assert ours - set(WATCHED) - set(UNWATCHED) == set()
    assert not set(WATCHED) & set(UNWATCHED)


def test_adding_changing_and_deleting_say_what_was_and_what_is(host: MailHost) -> None:
    added = newest()
    assert (added.action, added.kind, added.name) == (Action.ADDED, "routing.mailhost", "mx")
    assert ["", "192.0.2.1"] in [one[1:] for one in added.changes]
    host.weight = 7
    routing.save_mail_host(host)
    assert newest().changes == [["weight", "1", "7"]]
    routing.delete([host])
    gone = newest()
    assert gone.action == Action.DELETED
    assert ["192.0.2.1", ""] in [one[1:] for one in gone.changes]


def test_what_is_saved_unchanged_is_no_entry(host: MailHost) -> None:
    before = Entry.objects.count()
    routing.save_mail_host(host)
    assert Entry.objects.count() == before


def test_a_page_s_change_is_its_user_s(operator: Client, host: MailHost) -> None:
    answer = operator.post(
        f"/admin/routing/mailhost/{host.pk}/change/",
        {
            "name": "mx2",
            "address": "192.0.2.1",
            "state": "up",
            "weight": "1",
            "hold": "later",
            "use_health": "observe",
            "imap_port": "143",
            "pop3_port": "110",
            "smtp_port": "25",
            "tls_name": "",
            **dict.fromkeys(("imap_tls", "pop3_tls", "smtp_tls"), "port"),
        },
    )
    assert answer.status_code == 302
    entry = newest()
    assert (entry.actor_kind, entry.actor, entry.address) == (
        ActorKind.STAFF,
        "olga",
        "192.0.2.77",
    )
    assert ["name", "mx", "mx2"] in entry.changes


def test_no_secret_is_written_down() -> None:
    account = credentials.save_account(
        Account(login="joe@example.com"), password=Secret(CANARY), recoverable=True
    )
    credentials.save_account(account, password=Secret(CANARY + "2"))
    issued = credentials.issue_app_password(AppPassword(account=account, name="Phone"))
    node, token = nodes.enrol("n1")
    renewed = nodes.renew_token(node)
    user = User.objects.create_user("eve", password=CANARY)
    user.set_password(CANARY + "3")
    user.save()
    written = repr(list(Entry.objects.values()))
    for secret in (CANARY, issued.reveal(), token.reveal(), renewed.reveal(), "argon2"):
        assert secret not in written
    changes = [tuple(one) for entry in Entry.objects.all() for one in entry.changes]
    assert ("password", "set", "changed") in changes
    assert ("token", "set", "changed") in changes


def test_a_part_is_shown_with_what_it_is_a_part_of(operator: Client) -> None:
    block = servers.save_block(ServerBlock(name="imap", protocol="imap"))
    servers.save_listener(Listener(block=block, address="127.0.0.1", port=1143))
    part = newest()
    assert (part.owner_kind, part.owner_key) == ("servers.serverblock", str(block.pk))
    page = operator.get(f"/admin/servers/serverblock/{block.pk}/history/").content.decode()
    assert "127.0.0.1:1143" in page
    assert "History of imap" in page
    block.delete()
    assert newest().kind == "servers.serverblock", "its listener goes without a word of its own"


def test_loading_a_revision_is_one_entry_with_the_settings_that_change() -> None:
    block = servers.save_block(ServerBlock(name="imap", protocol="imap"))
    servers.save_listener(Listener(block=block, address="127.0.0.1", port=1143))
    revision, _ = publish.publish()
    assert newest().action == Action.PUBLISHED
    block.delete()
    before = Entry.objects.count()
    publish.load_into_draft(revision.number)
    assert Entry.objects.count() == before + 1
    entry = newest()
    assert entry.action == Action.LOADED
    assert entry.changes == [['server block "imap"', "", "added"]]
    assert entry.text == ""


def test_what_is_no_difference_of_settings_is_counted() -> None:
    with services.as_one(Action.IMPORTED, name="hosts"):
        routing.save_mail_host(MailHost(name="mx", address="192.0.2.1"))
        routing.save_mail_host(MailHost(name="mx2", address="192.0.2.2"))
    assert newest().text == "2 mail hosts added"


def test_a_roll_back_says_so_with_the_difference_in_settings() -> None:
    block = servers.save_block(ServerBlock(name="imap", protocol="imap", timeout_ms=60_000))
    servers.save_listener(Listener(block=block, address="127.0.0.1", port=1143))
    publish.publish()
    block.timeout_ms = 90_000
    servers.save_block(block)
    publish.publish(note="longer")
    longer = ['server block "imap": timeout_ms', "60000 ms", "90000 ms"]
    assert (newest().text, newest().changes) == ("longer", [longer])
    publish.roll_back(1, note="too long", load_draft=True)
    shorter = [longer[0], longer[2], longer[1]]
    assert newest().action == Action.PUBLISHED
    assert newest().text == "rolled back to revision 1: too long"
    assert newest().changes == [shorter]
    loaded = Entry.objects.order_by("-pk")[1]
    assert (loaded.action, loaded.changes) == (Action.LOADED, [shorter])


def test_an_import_says_which_settings_it_changed_and_no_secret() -> None:
    block = servers.save_block(ServerBlock(name="imap", protocol="imap", timeout_ms=60_000))
    servers.save_listener(Listener(block=block, address="127.0.0.1", port=2143))
    assert transfer.take(CONF, "add").is_possible
    entry = next(one for one in Entry.objects.all() if one.action == Action.IMPORTED)
    assert ['server block "imap": timeout_ms', "60000 ms", "90000 ms"] in entry.changes
    assert "between-us" not in repr(entry.changes)


def test_of_very_many_differences_the_number_is_told() -> None:
    many = [Change("changed", f"block {n}", "timeout_ms", "1 ms", "2 ms") for n in range(250)]
    rows = trail.rows(many)
    assert len(rows) == 201
    assert rows[-1] == ("more", "", "50 more differences")


def test_what_is_taken_back_leaves_no_entry() -> None:
    before = Entry.objects.count()
    with transaction.atomic():
        routing.save_mail_host(MailHost(name="mx", address="192.0.2.1"))
        transaction.set_rollback(True)
    assert Entry.objects.count() == before


def test_commands_and_tasks_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["manage.py", "load_example", "--secret", CANARY])
    routing.save_mail_host(MailHost(name="mx", address="192.0.2.1"))
    assert (newest().actor_kind, newest().actor) == (ActorKind.COMMAND, "manage.py load_example")

    class Task:
        name = "appliance.routing.tasks.write"

    actors.task_begins(Task())
    try:
        routing.save_mail_host(MailHost(name="mx3", address="192.0.2.3"))
    finally:
        actors.task_ends()
    assert (newest().actor_kind, newest().actor) == (ActorKind.TASK, "routing.tasks.write")


def test_roles_given_and_keys_rotated_are_entries(settings: Any, tmp_path: Any) -> None:
    user = User.objects.create_user("eve")
    user.groups.add(Group.objects.get_or_create(name="Operator")[0])
    assert newest().changes == [["groups", "", "Operator"]]
    settings.SECRET_KEY_FILE = tmp_path / "key"
    settings.SECRET_KEY_FILE.write_text(f"{settings.ENCRYPTION_KEYS[0]}\n")
    settings.SECRET_KEY_FILE.chmod(0o600)
    rotation.add_key()
    assert newest().action == Action.KEYS_ROTATED


def test_sign_ins_and_failures_are_entries_without_what_may_be_a_password() -> None:
    User.objects.create_superuser("olga", password=CANARY)
    client = Client(REMOTE_ADDR="192.0.2.8")
    client.post("/admin/login/", {"username": "olga", "password": "wrong"})
    failed = newest()
    assert (failed.action, failed.name, failed.address) == (
        Action.SIGN_IN_FAILED,
        "olga",
        "192.0.2.8",
    )
    client.post("/admin/login/", {"username": CANARY, "password": "wrong"})
    assert newest().name == "a name that nobody has"
    client.post("/admin/login/", {"username": "olga", "password": CANARY})
    assert Entry.objects.filter(action=Action.SIGNED_IN, actor="olga").count() == 1
    client.post("/admin/logout/")
    assert newest().action == Action.SIGNED_OUT


def test_nobody_changes_or_deletes_an_entry(host: MailHost, operator: Client) -> None:
    entry = newest()
    entry.text = "nothing happened"
    for attempt in (
        entry.save,
        entry.delete,
        Entry.objects.all().delete,
        lambda: Entry.objects.update(text=""),
    ):
        with pytest.raises(AppendOnly):
            attempt()
    for page in ("delete", "change"):
        assert operator.post(f"/admin/audit/entry/{entry.pk}/{page}/", {"post": "yes"}).status_code
    chosen = {"action": "delete_selected", "_selected_action": entry.pk, "post": "yes"}
    operator.post("/admin/audit/entry/", chosen)
    assert Entry.objects.filter(pk=entry.pk, text="").exists()


def test_old_entries_are_forgotten_and_that_is_an_entry(host: MailHost, settings: Any) -> None:
    later = timezone.now() + timedelta(days=settings.AUDIT_DAYS + 1)
    settings.AUDIT_DAYS, days = 0, settings.AUDIT_DAYS
    assert services.forget(later) == 0
    settings.AUDIT_DAYS = days
    count = Entry.objects.count()
    assert services.forget(later) == count
    assert [one.action for one in Entry.objects.all()] == [Action.FORGOTTEN]


def test_the_list_is_searched_and_exported_without_formulas(operator: Client) -> None:
    routing.save_mail_host(MailHost(name="=cmd()", address="192.0.2.1"))
    routing.save_mail_host(MailHost(name="other", address="192.0.2.2"))
    page = operator.get("/admin/audit/entry/?q=other").content.decode()
    assert "other" in page
    assert "=cmd()" not in page
    answer = operator.get("/admin/audit/entry/export/?about=routing.mailhost")
    text = b"".join(answer).decode()  # type: ignore[arg-type]
    rows = list(csv.reader(io.StringIO(text)))
    assert {row[7] for row in rows[1:]} == {"'=cmd()", "other"}


def test_exports_are_entries_that_say_what_how_many_and_by_which_search(operator: Client) -> None:
    routing.save_mail_host(MailHost(name="mx", address="192.0.2.1"))
    credentials.save_account(Account(login="joe@example.com"))
    for address, name, text in (
        ("/admin/export/accounts/", "accounts", "1 line as CSV"),
        ("/admin/export/routes/", "routes", "0 lines as CSV"),
        (
            "/admin/history/sessionrecord/export/?user=joe&outcome=in",
            "history",
            "0 lines as CSV, user joe, outcome in",
        ),
        (
            "/admin/audit/entry/export/?about=routing.mailhost",
            "audit trail",
            "1 line as CSV, about routing.mailhost",
        ),
        ("/admin/publish/configrevision/export/", "The draft as nginx.conf", ""),
    ):
        assert operator.get(address).status_code == 200
        entry = newest()
        assert (entry.action, entry.actor) == (Action.EXPORTED, "olga")
        assert (entry.name, entry.text) == (name, text)


def test_an_export_from_a_shell_names_who_runs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["manage.py", "export_accounts"])
    monkeypatch.setenv("LOGNAME", "root")
    monkeypatch.setenv("SUDO_USER", "ann")
    for command, name in (
        ("export_accounts", "accounts"),
        ("export_nginx_conf", "The draft as nginx.conf"),
    ):
        call_command(command, stdout=io.StringIO(), stderr=io.StringIO())
        entry = newest()
        assert (entry.actor_kind, entry.name) == (ActorKind.COMMAND, name)
        assert entry.text.endswith("run by root (sudo: ann)")


def test_a_payload_in_a_name_is_inert_on_every_page_of_the_trail(operator: Client) -> None:
    host = routing.save_mail_host(MailHost(name="<script>alert(1)</script>", address="192.0.2.1"))
    entry = newest()
    for address in (
        "/admin/audit/entry/",
        f"/admin/audit/entry/{entry.pk}/change/",
        f"/admin/routing/mailhost/{host.pk}/history/",
    ):
        page = operator.get(address).content.decode()
        assert "<script>alert(1)" not in page
        assert "&lt;script&gt;alert(1)" in page


def test_what_no_signal_tells_is_told_by_the_service() -> None:
    node, _ = nodes.enrol("n1")
    nodes.revoke(node)
    assert newest().text == "revoked"


def test_unlocking_is_an_entry_with_the_command_s_name(monkeypatch: pytest.MonkeyPatch) -> None:
    User.objects.create_superuser("olga", password=CANARY)
    client = Client()
    for _ in range(5):
        client.post("/admin/login/", {"username": "olga", "password": "wrong"})
    assert Entry.objects.filter(action=Action.LOCKED_OUT, name="olga").count() == 1
    monkeypatch.setattr("sys.argv", ["manage.py", "unlock", "olga"])
    call_command("unlock", "olga", verbosity=0)
    assert (newest().action, newest().actor) == (Action.UNLOCKED, "manage.py unlock")
