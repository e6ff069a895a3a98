"""The history's pages: found by who, where and when; read; exported without harm."""

import csv
import io
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from appliance.history import causes, queries, services, shown
from appliance.history.models import SessionRecord
from appliance.history.reading import packed
from proxycore.contract.reasons import OF_BACKENDS, CloseReason
from tests.unit.appliance.history.wire import NOW, batch, failed, phases, session

pytestmark = pytest.mark.django_db

LIST = "admin:history_sessionrecord_changelist"


def user(*permissions: str) -> User:
    made = User.objects.create_user("h", password="a long pass phrase", is_staff=True)
    made.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return made


@pytest.fixture
def desk(client: Client, db: None) -> Client:
    """A browser of the help desk."""
    client.force_login(user("view_sessionrecord", "view_route", "view_account"))
    return client


@pytest.fixture
def past() -> None:
    """An hour of sessions."""
    now = timezone.now()

    def ago(minutes: int) -> object:
        return now - timedelta(minutes=minutes)

    nowhere = {"connect": None, "login": None, "relay": None}
    services.ingest(
        7,
        batch(
            session(1, ended_at=ago(50)),
            session(2, ended_at=ago(40), login="bob", client="198.51.100.9", protocol="pop3"),
            session(
                3,
                ended_at=ago(30),
                login="carol",
                reason="backend_refused",
                fault="connect() failed",
                ms=phases(login=None, relay=None),
            ),
            session(
                4,
                ended_at=ago(20),
                login="",
                reason="client_closed",
                backend="",
                ms=phases(credentials=None, auth=None, **nowhere),
            ),
            session(5, ended_at=ago(9), login="bob", reason="client_quit", ms=phases(**nowhere)),
            logins=(failed(5, at=ago(10), login="bob", client="2001:db8::5"),),
        ),
        now,
    )


def found(search: queries.Search) -> list[tuple[str, int]]:
    return [(row.session.rpartition(".")[2], row.attempt) for row in queries.page(search).rows]


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        ({}, [("5", 1), ("3", 0), ("2", 0), ("1", 0)]),
        ({"outcome": "everything"}, [("5", 0), ("5", 1), ("4", 0), ("3", 0), ("2", 0), ("1", 0)]),
        ({"outcome": "in"}, [("2", 0), ("1", 0)]),
        ({"outcome": "refused"}, [("5", 1)]),
        ({"outcome": "broken"}, [("3", 0)]),
        ({"outcome": "visits"}, [("4", 0)]),
        ({"outcome": "backend_refused"}, [("3", 0)]),
        ({"user": "Alice@Example.org"}, [("1", 0)]),
        ({"user": "al*"}, [("1", 0)]),
        ({"user": "al"}, []),
        ({"network": (packed("198.51.100.0"), packed("198.51.100.255"))}, [("2", 0)]),
        ({"network": (packed("2001:db8::"), packed("2001:db8::ffff"))}, [("5", 1)]),
        ({"protocol": "pop3"}, [("2", 0)]),
        ({"backend": "198.51.100.1"}, [("3", 0), ("2", 0), ("1", 0)]),
        ({"node": 8}, []),
    ],
)
def test_what_is_searched_is_found(past: None, search: dict, expected: list) -> None:
    assert found(queries.Search(**search)) == expected


def test_pages_follow_each_other_without_gap_or_repetition() -> None:
    # many at the same millisecond, so that only the number tells them apart
    told = [session(n, ended_at=NOW - timedelta(seconds=n // 4)) for n in range(1, 30)]
    services.ingest(7, batch(*told), NOW)
    seen, before = [], None
    while True:
        page = queries.page(queries.Search(), before, 7)
        seen += [row.pk for row in page.rows]
        before = page.older
        if before is None:
            break
    assert len(seen) == 29
    assert seen == list(
        SessionRecord.objects.order_by("-ended_at", "-pk").values_list("pk", flat=True)
    )


def test_a_search_is_a_link_and_pages_keep_it(desk: Client, monkeypatch) -> None:
    told = [session(n, ended_at=timezone.now()) for n in range(1, 60)]
    services.ingest(7, batch(*told), timezone.now())
    page = desk.get(reverse(LIST), {"user": "alice@example.org", "address": "192.0.2.0/24"})
    assert len(page.context["lines"]) == 50
    assert "user=alice%40example.org" in page.context["older"]
    rest = desk.get(reverse(LIST) + page.context["older"])
    assert len(rest.context["lines"]) == 9
    assert rest.context["older"] is None


def test_the_number_of_queries_does_not_grow_with_the_page(
    desk: Client, past: None, django_assert_max_num_queries
) -> None:
    desk.get(reverse(LIST))
    with django_assert_max_num_queries(16):
        desk.get(reverse(LIST), {"outcome": "everything"})


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"address": "mail.example"}, "Is no address and no network."),
        ({"user": "*joe"}, "A * can only stand at the end"),
        ({"user": "*"}, "A * can only stand at the end"),
        ({"since": "soon"}, "valid date"),
        ({"outcome": "what"}, "valid choice"),
    ],
)
def test_what_cannot_be_searched_is_said(desk: Client, wrong: dict, said: str) -> None:
    page = desk.get(reverse(LIST), wrong)
    assert page.status_code == 200
    assert said in page.content.decode()


@pytest.mark.parametrize("before", ["x", "2026-01-01T00:00:00,", "2026-01-01,7", ",", "9" * 99])
def test_a_page_that_makes_no_sense_is_the_first(desk: Client, past: None, before: str) -> None:
    assert desk.get(reverse(LIST), {"before": before}).status_code == 200


def test_everybody_is_looked_for_in_recent_days_only(desk: Client) -> None:
    old = timezone.now() - timedelta(days=20)
    services.ingest(7, batch(session(1, ended_at=old)), timezone.now())
    assert desk.get(reverse(LIST)).context["lines"] == []
    assert len(desk.get(reverse(LIST), {"user": "alice@example.org"}).context["lines"]) == 1
    assert desk.get(reverse(LIST), {"user": "alice*"}).context["lines"] == []
    assert desk.get(reverse(LIST), {"address": "192.0.0.0/8"}).context["lines"] == []
    assert len(desk.get(reverse(LIST), {"address": "192.0.2.0/24"}).context["lines"]) == 1
    both = {"address": "192.0.0.0/8", "user": "alice@example.org"}
    assert len(desk.get(reverse(LIST), both).context["lines"]) == 1
    assert len(desk.get(reverse(LIST), {"since": f"{old:%Y-%m-%d}"}).context["lines"]) == 1


def test_a_sessions_page_tells_its_way_and_its_cause(desk: Client, past: None) -> None:
    record = SessionRecord.objects.get(reason="backend_refused")
    page = desk.get(reverse("admin:history_sessionrecord_change", args=[record.pk]))
    text = page.content.decode()
    assert "The mail server could not be connected to." in text
    assert "Concerns everybody on that mail server" in text
    assert "connect() failed" in text
    assert [phase.name for phase in page.context["phases"]] == ["tls", "client", "auth", "connect"]
    assert page.context["phases"][-1].is_last
    assert "/admin/explain/?login=carol&amp;protocol=imap&amp;client_ip=192.0.2.7" in text
    assert "`" not in text.partition("<main")[2]


def test_failed_logins_stand_with_their_session(desk: Client, past: None) -> None:
    login = SessionRecord.objects.get(attempt=1)
    page = desk.get(reverse("admin:history_sessionrecord_change", args=[login.pk]))
    whole = page.context["whole"]
    assert whole.reason == "client_quit"
    assert "Invalid login or password" in page.content.decode()
    page = desk.get(reverse("admin:history_sessionrecord_change", args=[whole.pk]))
    assert page.context["failed"] == [login]


def test_who_may_not_see_it_does_not(client: Client, past: None) -> None:
    client.force_login(user("view_account"))
    record = SessionRecord.objects.first()
    assert record is not None
    for url in (
        reverse(LIST),
        reverse("admin:history_sessionrecord_export"),
        reverse("admin:history_sessionrecord_change", args=[record.pk]),
    ):
        assert client.get(url).status_code == 403


def test_to_see_it_is_not_to_take_it_away(desk: Client, past: None) -> None:
    assert desk.get(reverse("admin:history_sessionrecord_export")).status_code == 403
    assert "Export as CSV" not in desk.get(reverse(LIST)).content.decode()


def test_an_export_is_what_was_searched_and_calculates_nothing(client: Client) -> None:
    client.force_login(user("view_sessionrecord", "export_sessionrecord"))
    evil = '=HYPERLINK("http://evil.example","click")'
    told = [session(n, ended_at=timezone.now()) for n in range(1, 4)]
    told.append(session(9, login=evil, client="10.0.0.1", ended_at=timezone.now()))
    services.ingest(7, batch(*told), timezone.now())
    answer = client.get(
        reverse("admin:history_sessionrecord_export"),
        {"address": "10.0.0.0/8", "outcome": "everything"},
    )
    assert answer["Content-Type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.getvalue().decode())))
    assert len(rows) == 1
    assert rows[0]["login"] == f"'{evil}"
    assert (rows[0]["address"], rows[0]["kind"], rows[0]["relay_ms"]) == (
        "10.0.0.1",
        "session",
        "958",
    )


def test_an_export_has_an_end(monkeypatch) -> None:
    monkeypatch.setattr(queries, "EXPORTED_AT_MOST", 20)
    monkeypatch.setattr(queries, "_EXPORTED_AT_ONCE", 10)
    services.ingest(7, batch(*(session(n) for n in range(1, 40))), NOW)
    assert sum(map(len, queries.every(queries.Search()))) == 20


@pytest.mark.parametrize("reason", list(CloseReason))
def test_every_reason_is_said_in_plain_words(reason: CloseReason) -> None:
    assert reason in causes.ADVICE
    assert causes.advice(reason) or reason is CloseReason.DONE
    assert "`" not in causes.meaning(reason)
    assert causes.title(reason)[0].isupper()
    assert "_" not in causes.title(reason)


def test_what_mail_servers_did_is_said_so_that_a_help_desk_tells_it_apart() -> None:
    titles = {reason: causes.title(reason) for reason in OF_BACKENDS}
    assert titles[CloseReason.BACKEND_REJECTED] == "Mail server refused the password"
    assert titles[CloseReason.BACKEND_REFUSED] == "Mail server not reached"
    assert len(set(titles.values())) == len(titles)
    assert not [one for one in titles.values() if "ackend" in one]


def test_a_reason_of_a_later_version_is_shown_as_it_is() -> None:
    assert causes.title("moon_phase") == "Moon phase"
    assert (causes.meaning("moon_phase"), causes.advice("moon_phase")) == ("", "")


@pytest.mark.parametrize(
    ("ms", "said"),
    [
        (0, "0 ms"),
        (999, "999 ms"),
        (1500, "1.5 s"),
        (61_000, "1 min 1 s"),
        (7_260_000, "2 h 1 min"),
        (270_000_000, "3 days 3 h"),
    ],
)
def test_times_are_said_as_people_do(ms: int, said: str) -> None:
    assert shown.duration(ms) == said


def test_a_picture_fills_its_width_and_hides_no_phase() -> None:
    services.ingest(7, batch(session(ms=phases(auth=0, connect=0, login=5000))), NOW)
    drawn = shown.phases(SessionRecord.objects.get())
    assert all(phase.width >= 6 for phase in drawn)
    assert drawn[0].x == 0
    assert 990 <= drawn[-1].x + drawn[-1].width <= 1000
    assert [a.x + a.width for a in drawn[:-1]] == [b.x for b in drawn[1:]]
