"""Password hashing."""

import pytest
from django.contrib.auth.hashers import check_password, make_password

from appliance.lib import hashing


def test_a_password_of_any_bytes_is_verified() -> None:
    every_byte = bytes(range(256))
    stored = hashing.hash_password(every_byte)
    assert hashing.verify_password(stored, every_byte)
    assert not hashing.verify_password(stored, every_byte[:-1])


@pytest.mark.parametrize("stored", ["", "plain", "$argon2id$v=19$m=1"])
def test_an_unreadable_hash_fits_no_password(stored: str) -> None:
    assert not hashing.verify_password(stored, b"plain")


def test_the_costs_are_the_decided_ones() -> None:
    for stored in (hashing.hash_password(b"x"), hashing.DUMMY_HASH, make_password("x")):
        assert "argon2id$v=19$m=19456,t=2,p=1$" in stored


def test_staff_passwords_are_verified_by_django() -> None:
    assert check_password("right", make_password("right"))
    assert not check_password("wrong", make_password("right"))
