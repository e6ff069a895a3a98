"""Hashes as Dovecot writes them. The vectors are of `doveadm pw`; it is asked itself, too."""

import subprocess

import pytest
from django.conf import settings

from appliance.lib import hashing, libcrypt, schemes, vault
from tests.support import require

PASSWORD = "secret pw"

VECTORS = {
    "ARGON2ID": "{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$swQzedL9dvDUXjXt2yxS4w"
    "$sA86E95DttPJwok24bs+mHeFUR/tUSDc2siSWKE5G5U",
    "BLF-CRYPT": "{BLF-CRYPT}$2y$05$Nb6GEgElwZ5xuPUUUOrFPeMK075VsSEbskXiJ7qfAzkuS6rgY8hN2",
    "SHA512-CRYPT": "{SHA512-CRYPT}$6$UjwSDRDSWh8zaO7.$EgzvUwP9mfUfob6IpgK8PM.UOIkhNyMUetMr5qjX//"
    ".Hi0n8vAlOvzIoWdlPT9IuiDiYmyRSl8DskZzQb37L6/",
    "SHA256-CRYPT": "{SHA256-CRYPT}$5$pjBtzjWx8Fe.u8Ry$izzzmTSbV.h9CaZDFteLyUnTH72b.x9BXil2tkb6U0C",
    "SSHA": "{SSHA}1pswStEF71naRHFw7vEE3bpnn923EH7m",
    "SSHA512": "{SSHA512}npTF0qxR+o56a19VibGORAdR4Ja7fCRNRn1lzXsYT2e36N91/vlTNFYnq62crghmHz5qxp7p"
    "EZf7FhfsAv+Sg1CjEh8=",
    "PBKDF2": "{PBKDF2}$1$bi1xwf9MjrhMuJmQ$5000$8d10a8d368167e0eb6fb6183f9b55e3a02525d74",
    "PLAIN": "{PLAIN}secret pw",
}


@pytest.mark.parametrize("scheme", VECTORS)
def test_a_hash_of_dovecot_s_is_read_and_verified(scheme: str) -> None:
    stored = schemes.read(VECTORS[scheme])
    assert schemes.verify(stored, PASSWORD.encode())
    for wrong in (b"", b"secret p", b"secret pw ", b"Secret pw", b"secret pw\x00", b"\xff"):
        assert not schemes.verify(stored, wrong), wrong


@pytest.mark.parametrize("scheme", schemes.NAMES)
@pytest.mark.parametrize("password", ["secret pw", "pässwörd €", "x", '{}$:"\\ %'])
def test_what_doveadm_writes_now_is_read_and_verified(scheme: str, password: str) -> None:
    doveadm = require.program("doveadm")
    written = subprocess.run(
        [doveadm, "pw", "-s", scheme, "-p", password], capture_output=True, check=True, text=True
    ).stdout.rstrip("\n")
    stored = schemes.read(written)
    assert len(stored) <= schemes.MAX_STORED_CHARS
    assert schemes.verify(stored, password.encode())
    assert not schemes.verify(stored, b"wrong")


def test_every_scheme_has_a_vector() -> None:
    assert set(VECTORS) == set(schemes.NAMES)


def test_a_bare_hash_is_recognised_by_its_prefix() -> None:
    for scheme in ("ARGON2ID", "BLF-CRYPT", "SHA512-CRYPT", "SHA256-CRYPT"):
        bare = VECTORS[scheme].partition("}")[2]
        assert schemes.read(bare) == schemes.read(VECTORS[scheme])


def test_a_plain_password_is_not_stored_as_it_is() -> None:
    stored = schemes.read(VECTORS["PLAIN"])
    assert PASSWORD not in stored
    assert vault.decrypt(schemes.split(stored)[1]) == PASSWORD


@pytest.mark.parametrize(
    "text",
    [
        "",
        "secret pw",
        "{PLAIN}",
        "{MD5-CRYPT}$1$abc$def",
        "{ENCRYPTED}gAAAA",
        "{SSHA}not base64!",
        "{SSHA}c2hvcnQ=",
        "{SHA512-CRYPT}$5$pjBtzjWx8Fe.u8Ry$izzzmTSbV",
        "{SHA512-CRYPT}$6$rounds=999999999$salt$hash",
        "{BLF-CRYPT}$2y$31$Nb6GEgElwZ5xuPUUUOrFPeMK075VsSEbskXiJ7qfAzkuS6rgY8hN2",
        "{ARGON2ID}$argon2id$v=19$m=9999999,t=3,p=1$swQzedL9dvDUXjXt2yxS4w$sA86E95DttPJwok24bs",
        "{ARGON2ID}$argon2i$v=19$m=65536,t=3,p=1$a$b",
        "{PBKDF2}$1$salt$999999999$8d10a8d368167e0eb6fb6183f9b55e3a02525d74",
        "{PLAIN}" + "x" * 1000,
    ],
)
def test_what_is_no_hash_or_costs_too_much_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"[a-z]"):
        schemes.read(text)


def test_a_refusal_does_not_show_the_hash() -> None:
    with pytest.raises(ValueError, match="SSHA") as refused:
        schemes.read("{SSHA}canary-hash!")
    assert "canary-hash" not in str(refused.value)


@pytest.mark.parametrize("stored", ["", "x", "{SSHA}!", "{NONE}x", "{SHA512-CRYPT}$6$", "{PBKDF2}"])
def test_an_unreadable_hash_fits_no_password(stored: str) -> None:
    assert not schemes.verify(stored, b"")
    assert not schemes.verify(stored, PASSWORD.encode())


def test_without_crypt_nobody_is_let_in(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise libcrypt.Unavailable

    monkeypatch.setattr(libcrypt, "_function", missing)
    assert not schemes.verify(VECTORS["BLF-CRYPT"], PASSWORD.encode())


@pytest.mark.parametrize("scheme", VECTORS)
def test_only_our_own_costs_need_no_new_hash(scheme: str) -> None:
    assert not hashing.is_ours(schemes.read(VECTORS[scheme]))
    assert hashing.is_ours(hashing.hash_password(b"x"))


def test_a_refusal_by_a_quick_scheme_costs_as_much_as_by_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    verify, asked = schemes.verify, []

    def count(stored: str, password: bytes) -> bool:
        asked.append(schemes.split(stored)[0])
        return verify(stored, password)

    monkeypatch.setattr(schemes, "verify", count)
    assert not hashing.verify_password(VECTORS["SSHA"], b"wrong")
    assert asked == ["SSHA", "ARGON2ID"]
    asked.clear()
    assert not hashing.verify_password(hashing.DUMMY_HASH, b"wrong")
    assert asked == ["ARGON2ID"]


def test_derived_keys_are_one_per_key_and_purpose() -> None:
    first = vault.derive("one purpose")
    assert len(first) == len(settings.ENCRYPTION_KEYS)
    assert all(len(key) == 32 for key in first)
    assert first != vault.derive("another")
    assert settings.ENCRYPTION_KEYS[0].encode() not in first
