"""What the headers say of a client's certificate."""

import pytest

from appliance.credentials.certificates import ClientCertificate

GOOD = {"auth-ssl": b"on", "auth-ssl-verify": b"SUCCESS", "auth-ssl-subject": b"CN=joe"}


def test_a_verified_certificate_is_read() -> None:
    assert ClientCertificate.read(GOOD).logins("CN") == ["joe"]


@pytest.mark.parametrize(
    "changed",
    [
        {"auth-ssl-verify": b"NONE"},
        {"auth-ssl-verify": b"FAILED:certificate has expired"},
        {"auth-ssl-verify": b"success"},
        {"auth-ssl-verify": b""},
        {"auth-ssl": b""},
    ],
)
def test_anything_but_success_over_tls_is_nobody(changed: dict[str, bytes]) -> None:
    assert ClientCertificate.read({**GOOD, **changed}).logins("CN") == []
    assert ClientCertificate.read({}).logins("CN") == []


@pytest.mark.parametrize(
    ("subject", "attribute", "logins"),
    [
        ("CN=client a,O=Acme\\, Inc,C=US", "CN", ["client a"]),
        ("CN=client a,O=Acme\\, Inc,C=US", "o", ["Acme, Inc"]),
        ("emailAddress=joe@example.com,CN=Joe", "emailAddress", ["joe@example.com"]),
        ("CN=a+CN=b,CN=c", "CN", ["a", "b", "c"]),
        ("CN=J\\C3\\B6", "CN", ["Jö"]),
        ("O=x\\,CN\\=joe", "CN", []),
        ("O=x\\\\,CN=joe", "CN", ["joe"]),
        ("nonsense", "CN", []),
        ("CN=joe,nonsense", "CN", []),
        ("", "CN", []),
        ("CN=", "CN", [""]),
    ],
)
def test_a_subject_is_read_as_rfc_2253_writes_it(
    subject: str, attribute: str, logins: list[str]
) -> None:
    assert ClientCertificate(verified=True, subject=subject).logins(attribute) == logins
