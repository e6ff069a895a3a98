"""Fields for secrets and for lists of words."""

import pytest
from django import forms
from django.core import serializers
from django.core.exceptions import ValidationError
from django.db import connection

from appliance.authhttp.models import CallerSecret
from appliance.lib.admin import SecretModelForm
from appliance.lib.fields import SecretFormField, WordsFormField
from proxycore.contract.secret import Secret

CANARY = "canary-0f1e2d3c4b5a"


class CallerForm(SecretModelForm):
    class Meta:
        model = CallerSecret
        fields = ("name", "header", "secret")


@pytest.fixture
def caller(db: None) -> CallerSecret:
    return CallerSecret.objects.create(name="nginx", secret=CANARY)


def test_a_secret_comes_back_masked(caller: CallerSecret) -> None:
    stored = CallerSecret.objects.get(pk=caller.pk)
    assert stored.secret == Secret(CANARY)
    assert CANARY not in f"{stored.secret} {stored.secret!r} {stored.__dict__}"


def test_a_secret_is_masked_before_it_is_stored() -> None:
    caller = CallerSecret(secret=CANARY)
    assert CANARY not in repr(caller.__dict__)
    assert caller.secret.reveal() == CANARY


def test_the_database_holds_no_secret_in_clear(caller: CallerSecret) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM authhttp_callersecret")
        assert CANARY not in repr(cursor.fetchall())


def test_a_serialised_dump_holds_no_secret_in_clear(caller: CallerSecret) -> None:
    assert CANARY not in serializers.serialize("json", CallerSecret.objects.all())


def test_a_form_never_shows_a_secret(caller: CallerSecret) -> None:
    page = CallerForm(instance=CallerSecret.objects.get(pk=caller.pk)).as_p()
    again = CallerForm({"name": "", "secret": CANARY}).as_p()
    assert CANARY not in page + again
    assert Secret.MASK not in page


def test_a_blank_field_keeps_the_secret(caller: CallerSecret) -> None:
    form = CallerForm({"name": "other", "header": "X-Key", "secret": ""}, instance=caller)
    assert form.is_valid(), form.errors
    form.save()
    assert CallerSecret.objects.get(pk=caller.pk).secret == Secret(CANARY)


def test_something_typed_replaces_the_secret(caller: CallerSecret) -> None:
    form = CallerForm({"name": "nginx", "header": "X-Key", "secret": " new "}, instance=caller)
    form.save()
    assert CallerSecret.objects.get(pk=caller.pk).secret == Secret(" new ")


def test_a_new_object_needs_its_secret(db: None) -> None:
    form = CallerForm({"name": "nginx", "header": "X-Key", "secret": ""})
    assert "secret" in form.errors
    with pytest.raises(ValidationError, match="blank"):
        CallerSecret(name="nginx").full_clean()


def test_only_something_typed_is_a_change() -> None:
    field = SecretFormField()
    assert not field.has_changed(Secret("x"), "")
    assert field.has_changed(Secret("x"), "x")


def test_words_are_split_and_joined() -> None:
    class Form(forms.Form):
        names = WordsFormField(required=False)

    form = Form({"names": " a.example,  b.example "}, initial={"names": ["a.example"]})
    assert form.is_valid()
    assert form.cleaned_data["names"] == ["a.example", "b.example"]
    assert form.has_changed()
    assert 'value="a.example"' in Form(initial={"names": ["a.example"]}).as_p()
