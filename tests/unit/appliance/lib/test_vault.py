"""Encryption at rest."""

import pytest
from cryptography.fernet import Fernet
from django.conf import settings
from django.test import override_settings

from appliance.lib import vault


def test_what_is_encrypted_can_be_read_and_does_not_show() -> None:
    token = vault.encrypt("sécret")
    assert "sécret" not in token
    assert vault.decrypt(token) == "sécret"
    assert vault.encrypt("sécret") != token


def _new_key() -> str:
    return Fernet.generate_key().decode()


def test_after_a_rotation_old_secrets_are_still_read() -> None:
    token, new = vault.encrypt("before"), _new_key()
    with override_settings(ENCRYPTION_KEYS=[new, *settings.ENCRYPTION_KEYS]):
        assert vault.decrypt(token) == "before"
        renewed = vault.encrypt("after")
    with override_settings(ENCRYPTION_KEYS=[new]):
        assert vault.decrypt(renewed) == "after"


def test_a_foreign_key_file_is_named_as_the_cause() -> None:
    token = vault.encrypt("x")
    with (
        override_settings(ENCRYPTION_KEYS=[_new_key()]),
        pytest.raises(vault.Undecryptable, match=r"secret\.key"),
    ):
        vault.decrypt(token)
