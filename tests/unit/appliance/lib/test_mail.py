"""POSTROAD_EMAIL_URL becomes Django's settings, and no mistake tells the password."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from appliance.lib import mail


def short(url: str) -> tuple[object, ...]:
    found = mail.from_url(url)
    names = ("HOST", "PORT", "HOST_USER", "HOST_PASSWORD", "USE_TLS", "USE_SSL")
    return tuple(found[f"EMAIL_{name}"] for name in names)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("", ("", 587, "", "", True, False)),
        ("smtp://mx.example.com", ("mx.example.com", 587, "", "", True, False)),
        ("smtp://a%40b:p%2Fw@mx:2525", ("mx", 2525, "a@b", "p/w", True, False)),
        ("smtps://u:p@mx", ("mx", 465, "u", "p", False, True)),
        ("smtp://mx?tls=implicit", ("mx", 465, "", "", False, True)),
        ("smtp://mx?tls=none", ("mx", 25, "", "", False, False)),
        ("smtp://[::1]:25?tls=none", ("::1", 25, "", "", False, False)),
    ],
)
def test_a_url_says_where_and_how(url: str, expected: tuple[object, ...]) -> None:
    assert short(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        *("mx.example.com:25", "http://u:s3cr3t@mx/", "smtp://", "smtp://u:s3cr3t@mx:99999"),
        *("smtp://mx?tls=maybe", "smtps://u:s3cr3t@mx?tls=none", "smtp://u:s3cr3t@[::1"),
    ],
)
def test_what_is_wrong_is_said_without_the_password(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="POSTROAD_EMAIL_URL") as caught:
        mail.from_url(url)
    assert "s3cr3t" not in str(caught.value)
