"""One-time codes: what they admit, and when they do not."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.test import Client
from django.utils import timezone

from appliance.audit.models import Entry
from appliance.fleet import enrol, queries
from appliance.fleet.models import EnrolmentCode, Node
from appliance.fleet.services import enrolment, nodes

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nobody_has_tried() -> None:
    cache.clear()


def give(code: str, **more: Any) -> tuple[int, dict[str, Any]]:
    answer = Client(enforce_csrf_checks=True).post(
        "/enrol", json.dumps({"code": code}), content_type="application/json", **more
    )
    return answer.status_code, answer.json()


def test_a_code_gives_a_token_once(operator: User) -> None:
    row, code = enrolment.create("edge-7", 60, operator)
    status, said = give(code.reveal().lower().replace("-", " "))
    assert (status, said["name"]) == (200, "edge-7")
    node = queries.find_by_token(said["token"])
    assert node is not None
    assert node.name == "edge-7"
    row.refresh_from_db()
    assert (row.used_at is not None, row.used_from) == (True, "127.0.0.1")
    status, said = give(code.reveal())
    assert (status, "token" in said) == (403, False)
    assert Node.objects.count() == 1


def test_only_a_fingerprint_of_it_is_kept(operator: User) -> None:
    row, code = enrolment.create("edge-7", 60, operator)
    known = json.dumps([*EnrolmentCode.objects.values(), *Entry.objects.values()], default=str)
    assert code.reveal() not in known
    assert code.reveal().replace("-", "") not in known
    assert len(code.reveal().replace("-", "")) * 5 == 100
    assert Entry.objects.filter(kind="fleet.enrolmentcode", key=str(row.pk)).exists()


def test_an_old_or_withdrawn_or_unknown_code_is_refused(operator: User) -> None:
    _, old = enrolment.create("edge-1", 60, operator)
    EnrolmentCode.objects.update(expires_at=timezone.now())
    row, withdrawn = enrolment.create("edge-2", 60, operator)
    enrolment.withdraw(row)
    for code in (old.reveal(), withdrawn.reveal(), "AAAAA-BBBBB-CCCCC-DDDDD", ""):
        assert give(code)[0] == 403
    assert not Node.objects.exists()


def test_a_name_that_is_taken_meanwhile_refuses_and_keeps_the_node(operator: User) -> None:
    _, code = enrolment.create("edge-1", 60, operator)
    node, token = nodes.enrol("edge-1")
    assert give(code.reveal())[0] == 403
    assert queries.find_by_token(token.reveal()) == node
    with pytest.raises(ValidationError):
        enrolment.create("edge-1", 60, operator)


def test_attempts_are_limited_by_address(operator: User) -> None:
    _, code = enrolment.create("edge-1", 60, operator)
    statuses = [give("nonsense")[0] for _ in range(enrol.MOST_BY_ADDRESS + 1)]
    assert statuses == [403] * enrol.MOST_BY_ADDRESS + [429]
    assert give(code.reveal())[0] == 429
    assert give(code.reveal(), REMOTE_ADDR="192.0.2.9")[0] == 200


@pytest.mark.parametrize("body", [b"", b"[]", b'{"code": 5}', b"\xff", b"x" * 2000])
def test_nonsense_is_no_code(body: bytes) -> None:
    assert Client().post("/enrol", body, content_type="application/json").status_code == 400


def test_it_cannot_be_asked_for(operator: User) -> None:
    assert Client().get("/enrol").status_code == 405


def test_codes_are_forgotten_after_a_while(operator: User) -> None:
    enrolment.create("edge-1", 60, operator)
    assert enrolment.forget(timezone.now() + timedelta(days=1)) == 0
    assert enrolment.forget(timezone.now() + timedelta(days=40)) == 1
