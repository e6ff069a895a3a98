"""What is wanted is checked at its field, kept in variants, and ordered."""

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import Client

from appliance.acme.models import Account, DnsSolver, Issuance, Order, Variant
from appliance.acme.services import issuances
from appliance.certs import services as certs


@pytest.fixture
def account(db: None) -> Account:
    return Account.objects.create(
        name="ca", directory_url="https://ca", private_key="canary-key-31"
    )


def want(account: Account, **columns: Any) -> Issuance:
    given = {"name": "mail", "names": ["mail.example.com"], **columns}
    return issuances.save(Issuance(account=account, **given))


@pytest.mark.parametrize(
    ("columns", "field"),
    [
        ({"names": []}, "names"),
        ({"names": ["mail"]}, "names"),
        ({"names": ["mail..example.com"]}, "names"),
        ({"names": ["http://mail.example.com"]}, "names"),
        ({"names": ["-mail.example.com"]}, "names"),
        ({"names": [f"n{n}.example.com" for n in range(101)]}, "names"),
        ({"names": ["*.example.com"]}, "challenge"),
        ({"challenge": "dns-01"}, "solver"),
    ],
)
def test_what_no_ca_would_take_is_refused_at_its_field(
    account: Account, columns: dict[str, Any], field: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        want(account, **columns)
    assert field in refused.value.error_dict
    assert not Issuance.objects.exists()


def test_an_address_is_not_proven_by_dns(account: Account) -> None:
    solver = DnsSolver.objects.create(name="s")
    with pytest.raises(ValidationError):
        want(account, names=["192.0.2.1"], challenge="dns-01", solver=solver)


def test_names_are_written_as_cas_want_them(account: Account) -> None:
    given = ["Mail.Example.COM.", "bücher.example", "mail.example.com", "2001:DB8::0:1"]
    assert want(account, names=given).names == [
        *("mail.example.com", "xn--bcher-kva.example", "2001:db8::1"),
    ]


def test_it_is_ordered_at_once_and_only_once(account: Account) -> None:
    issuance = want(account)
    issuances.save(issuance)
    assert issuances.order_now(issuance) == 1
    assert Order.objects.count() == 1


def test_switched_off_nothing_is_ordered(account: Account) -> None:
    want(account, enabled=False)
    assert not Order.objects.exists()


def test_a_pair_that_is_one_again_keeps_its_first_certificate(account: Account) -> None:
    issuance = want(account, keys="pair")
    assert set(issuance.variants.values_list("keys", flat=True)) == {"ec256", "rsa2048"}
    kept = issuance.variants.get(keys="ec256")
    issuance.keys = "ec256"
    issuances.save(issuance)
    assert [one.pk for one in issuance.variants.all()] == [kept.pk]
    issuance.keys = "rsa4096"
    issuances.save(issuance)
    assert [(one.pk, one.keys) for one in issuance.variants.all()] == [(kept.pk, "rsa4096")]


def test_a_certificate_that_is_there_is_taken_over(account: Account) -> None:
    present = certs.make_self_signed("first start", ["mail.example.com"])
    issuance = Issuance(account=account, name="mail", names=["mail.example.com"])
    issuances.save(issuance, adopt=present)
    assert Variant.objects.get().certificate == present


def test_no_key_is_on_a_page_or_readable_in_the_database(
    account: Account, as_administrator: Client
) -> None:
    from django.db import connection

    issuance = want(account)
    for url in (
        *("/admin/acme/account/", f"/admin/acme/account/{account.pk}/change/"),
        *("/admin/acme/issuance/", f"/admin/acme/issuance/{issuance.pk}/change/"),
    ):
        answer = as_administrator.get(url)
        assert answer.status_code == 200
        assert "canary-key-31" not in answer.text
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM acme_account")
        assert "canary-key-31" not in str(cursor.fetchall())


def test_the_list_asks_the_database_as_often_for_many(
    account: Account, as_administrator: Client, django_assert_max_num_queries: Any
) -> None:
    for number in range(12):
        want(account, name=f"mail{number}")
    with django_assert_max_num_queries(18):
        as_administrator.get("/admin/acme/issuance/")
