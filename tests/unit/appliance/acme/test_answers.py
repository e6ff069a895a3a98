"""HTTP-01 is answered to anybody, whoever they ask for; nothing else is."""

import pytest
from django.test import Client
from django.utils import timezone

from appliance.acme import answers, queries
from appliance.acme.models import Account, Challenge, Issuance, Order, Variant

PAGE = "/.well-known/acme-challenge/"


@pytest.fixture
def challenge(db: None) -> Challenge:
    account = Account.objects.create(name="ca", directory_url="https://ca", private_key="k")
    issuance = Issuance.objects.create(name="mail", account=account, names=["mail.example.com"])
    variant = Variant.objects.create(issuance=issuance, keys="ec256")
    order = Order.objects.create(variant=variant, challenge="http-01", created_at=timezone.now())
    return Challenge.objects.create(
        order=order,
        name="mail.example.com",
        authorization_url="https://ca/a",
        token="tok-en_1",
        key_authorization="tok-en_1.print",
        is_present=True,
    )


def test_any_host_gets_the_answer_without_https_or_a_login(
    challenge: Challenge, client: Client, settings: object
) -> None:
    settings.SECURE_SSL_REDIRECT = True  # type: ignore[attr-defined]
    answer = client.get(f"{PAGE}tok-en_1", headers={"host": "imap.anything.example"})
    assert (answer.status_code, answer.content) == (200, b"tok-en_1.print")
    assert answer["Content-Type"] == "text/plain"
    assert not answer.cookies


def test_only_what_is_in_place_is_answered(challenge: Challenge, client: Client) -> None:
    assert queries.pending_answers() == {"tok-en_1": "tok-en_1.print"}
    Challenge.objects.update(is_present=False)
    assert queries.pending_answers() == {}
    assert client.get(f"{PAGE}tok-en_1").status_code == 404


def test_a_record_for_dns_is_not_a_page(challenge: Challenge, client: Client) -> None:
    Order.objects.update(challenge="dns-01")
    assert client.get(f"{PAGE}tok-en_1").status_code == 404


@pytest.mark.parametrize("token", ["", "other", "../../admin/", "a" * 300, "tok-en_1/"])
def test_everything_else_is_not_found_in_one_shape(
    challenge: Challenge, client: Client, token: str
) -> None:
    answer = client.get(f"{PAGE}{token}")
    assert (answer.status_code, answer.content) == (404, b"not found")
    assert client.post(f"{PAGE}tok-en_1").status_code == 404


def test_listeners_are_rung_and_a_broken_one_stops_nobody(
    db: None, django_capture_on_commit_callbacks: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    rung: list[str] = []

    def broken() -> None:
        raise RuntimeError("no")

    monkeypatch.setattr(answers, "_listeners", {})
    answers.register("broken", broken)
    answers.register("nodes", lambda: rung.append("nodes"))
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
        answers.changed()
        assert rung == []
    assert rung == ["nodes"]
