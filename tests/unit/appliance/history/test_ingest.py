"""What nodes report is stored once, whatever is repeated, and nothing a node says does harm."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance.alerts import services as alerts
from appliance.alerts.models import Alert
from appliance.fleet.models import Node
from appliance.history import services
from appliance.history.models import Intake, LastLogin, SessionRecord
from appliance.history.reading import account_of, packed, shown_address
from tests.unit.appliance.history.wire import NOW, batch, failed, phases, session

pytestmark = pytest.mark.django_db


def test_a_session_becomes_a_row_with_all_its_facts() -> None:
    taken = services.ingest(7, batch(session(submitted="Alice@Example.org", login="alice")), NOW)
    assert (taken.stored, taken.unreadable, taken.dropped) == (1, 0, 0)
    row = SessionRecord.objects.get()
    assert (row.node, row.session, row.attempt) == (7, "b00t-1.1", 0)
    assert (row.ended_at, row.total_ms) == (NOW, 1000)
    assert (row.account, row.login, row.back_login) == (
        "alice@example.org",
        "Alice@Example.org",
        "alice",
    )
    assert shown_address(row.address) == "192.0.2.7"
    assert (row.front_tls, row.front_sni, row.front_resumed) == (
        "TLSv1.3",
        "imap.example.com",
        True,
    )
    assert (row.back_tls, row.proxied_by) == ("", "")
    assert (row.tls_ms, row.auth_ms, row.relay_ms) == (4, 7, 958)
    assert (row.bytes_to_front, row.bytes_to_back, row.reason) == (4711, 815, "done")


def test_each_failed_login_of_a_session_is_a_row() -> None:
    services.ingest(7, batch(logins=(failed(), failed(attempt=2, login="bob"))), NOW)
    services.ingest(7, batch(session(login="bob", reason="client_quit"), number=2), NOW)
    rows = SessionRecord.objects.order_by("attempt")
    assert [(row.attempt, row.login, row.reason) for row in rows] == [
        (0, "bob", "client_quit"),
        (1, "alice@example.org", "login_failed"),
        (2, "bob", "login_failed"),
    ]
    assert rows[1].fault == "Invalid login or password"


@pytest.mark.parametrize(
    ("wrong", "value"),
    [
        ("session", ""),
        ("session", None),
        ("time", "yesterday"),
        ("time", "2026-03-01T12:00:00"),
        ("client_port", 65_536),
        ("client_port", True),
        ("bytes_to_front", 2**63),
        ("bytes_to_back", -1),
        ("ms", None),
        ("front_tls", "TLSv1.3"),
        ("cached", 0),
        ("login", ["alice"]),
    ],
)
def test_what_is_no_record_is_left_out_and_counted(wrong: str, value: object) -> None:
    taken = services.ingest(7, batch({**session(1), wrong: value}, session(2)), NOW)
    assert (taken.stored, taken.unreadable) == (1, 1)
    assert Intake.objects.get().unreadable == 1


def test_no_text_is_too_long_or_too_odd_for_the_database() -> None:
    odd = "\x00\ud800" + "ß" * 5000
    texts = dict.fromkeys(("login", "server", "fault", "backend", "listen", "client"), odd)
    assert services.ingest(7, batch({**session(), **texts}), NOW).stored == 1
    row = SessionRecord.objects.get()
    row.full_clean(exclude=["node"])
    assert row.login.startswith("??ß")


def test_the_future_is_now() -> None:
    services.ingest(7, batch(session(ended_at=NOW + timedelta(days=900))), NOW)
    assert SessionRecord.objects.get().ended_at == NOW


def test_two_nodes_may_name_a_session_alike() -> None:
    services.ingest(7, batch(session()), NOW)
    services.ingest(8, batch(session()), NOW)
    assert SessionRecord.objects.count() == 2


_MOMENTS = st.integers(0, 5).map(lambda minutes: NOW - timedelta(minutes=minutes))
_SESSIONS = st.builds(
    lambda number, at, login, relay: session(
        number, ended_at=at, login=login, ms=phases(relay=relay)
    ),
    st.integers(1, 12),
    _MOMENTS,
    st.sampled_from(["alice", "bob", ""]),
    st.sampled_from([None, 100, 900]),
)
_LOGINS = st.builds(failed, st.integers(1, 12), st.integers(1, 3))


@settings(
    deadline=None,
    max_examples=50,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    st.lists(st.tuples(st.lists(_SESSIONS, max_size=4), st.lists(_LOGINS, max_size=3)), max_size=6),
    st.data(),
)
def test_repeated_and_reordered_batches_leave_what_one_pass_leaves(
    told: list[tuple[list[dict[str, object]], list[dict[str, object]]]], data: st.DataObject
) -> None:
    SessionRecord.objects.all().delete()
    LastLogin.objects.all().delete()
    Intake.objects.all().delete()
    # a session has one record, however often it is told
    first: dict[object, dict[str, object]] = {}
    batches = []
    for number, (sessions, logins) in enumerate(told, 1):
        own = [first.setdefault(one["session"], one) for one in sessions]
        batches.append(batch(*own, logins=tuple(logins), number=number, dropped=number * 2))
    again = data.draw(st.lists(st.sampled_from(batches), max_size=6)) if batches else []
    order = data.draw(st.permutations(batches + again))
    for one in order:
        services.ingest(7, one, NOW)
    expected = {(one["session"], 0) for one in first.values()} | {
        (one["session"], one["attempt"]) for _, logins in told for one in logins
    }
    rows = SessionRecord.objects.values_list("session", "attempt")
    assert len(rows) == len(expected)
    assert set(rows) == expected
    if not batches:
        return
    intake = Intake.objects.get()
    assert intake.stored == len(expected)
    assert intake.dropped == len(batches) * 2
    logged_in: dict[str, object] = {}
    for row in SessionRecord.objects.exclude(relay_ms=None).exclude(account=""):
        at = row.ended_at - timedelta(milliseconds=row.relay_ms or 0)
        logged_in[row.account] = max(logged_in.get(row.account, at), at)  # type: ignore[type-var]
    assert dict(LastLogin.objects.values_list("account", "at")) == logged_in


def test_the_last_login_is_the_newest_that_came_to_a_mailbox() -> None:
    hour = timedelta(hours=1)
    later = session(1, client="2001:db8::1", protocol="pop3", backend="b:110")
    services.ingest(7, batch(later), NOW)
    older = session(2, ended_at=NOW - hour)
    refused = session(3, ms=phases(relay=None), reason="backend_rejected")
    services.ingest(8, batch(older, refused, session(4, login="Alice@Example.ORG")), NOW - hour)
    row = LastLogin.objects.get()
    assert (row.account, row.at) == ("alice@example.org", NOW - timedelta(milliseconds=958))
    assert (row.address, row.protocol, row.backend) == ("2001:db8::1", "pop3", "b:110")


def test_drops_are_counted_over_boots_and_somebody_is_told() -> None:
    services.ingest(7, batch(session(1), dropped=5), NOW)
    services.ingest(7, batch(session(2), number=2, dropped=5), NOW)
    alert = Alert.objects.get(kind="queue", cleared_at=None)
    services.ingest(7, batch(session(3), boot_id="other", dropped=2), NOW)
    intake = Intake.objects.get()
    assert (intake.dropped, intake.stored) == (7, 3)
    alert.refresh_from_db()
    assert "7 records" in alert.text
    services.calm(NOW + timedelta(minutes=5))
    assert Alert.objects.filter(cleared_at=None).exists()
    services.calm(NOW + timedelta(minutes=11))
    assert not Alert.objects.filter(cleared_at=None).exists()


def test_what_was_said_of_a_deleted_node_does_not_stay() -> None:
    node = Node.objects.create(name="edge", token_hash="edge")
    services.ingest(node.pk, batch(session(1), dropped=5), NOW)
    alerts.clear_orphans()
    assert Alert.objects.get(cleared_at=None).about == "edge"
    node.delete()
    alerts.clear_orphans()
    assert "There is no edge any more" in Alert.objects.get().cleared_text


def test_a_node_that_was_renamed_is_told_of_by_its_new_name_only() -> None:
    node = Node.objects.create(name="edge", token_hash="edge")
    services.ingest(node.pk, batch(session(1), dropped=5), NOW)
    Node.objects.update(name="corner")
    services.calm(NOW + timedelta(minutes=1))
    assert not Alert.objects.filter(cleared_at=None).exists()


def test_how_late_records_come_is_known() -> None:
    services.ingest(7, batch(session(ended_at=NOW - timedelta(seconds=3))), NOW)
    assert Intake.objects.get().lag_ms == 3000


def test_what_is_old_is_forgotten_and_visits_sooner(settings, monkeypatch) -> None:
    settings.HISTORY_DAYS, settings.HISTORY_VISITS_DAYS = 10, 2
    monkeypatch.setattr(services, "PER_DELETION", 2)
    day = timedelta(days=1)
    ages = [(number, age, "alice") for number, age in enumerate((1, 9, 11, 12, 40), 1)]
    visits = [(number, age, "") for number, age in enumerate((1, 3, 9, 11), 10)]
    told = [session(n, ended_at=NOW - age * day, login=who) for n, age, who in ages + visits]
    services.ingest(7, batch(*told), NOW)
    assert services.prune(NOW) == 6
    left = SessionRecord.objects.values_list("session", flat=True)
    assert set(left) == {"b00t-1.1", "b00t-1.2", "b00t-1.10"}


@pytest.mark.parametrize(
    ("address", "octets"),
    [
        ("192.0.2.7", b"\0" * 10 + b"\xff\xff\xc0\x00\x02\x07"),
        ("2001:db8::1", b"\x20\x01\x0d\xb8" + b"\0" * 11 + b"\x01"),
        ("unix:", b""),
        ("nonsense", b""),
    ],
)
def test_addresses_are_kept_so_that_they_can_be_compared(address: str, octets: bytes) -> None:
    assert packed(address) == octets
    assert shown_address(octets) == (address if octets else "unix:")


def test_accounts_are_found_in_either_case() -> None:
    assert account_of(" Ada@EXAMPLE.org") == "ada@example.org"
    assert account_of("ÄDA") == "Äda"
