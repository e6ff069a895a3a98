"""When a certificate is renewed."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from appliance.acme import renewal
from appliance.acme.renewal import BadAnswer, Window

BORN = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.mark.parametrize(("days", "hours"), [(90, 1440), (45, 720), (6, 96)])
def test_two_thirds_of_a_life_or_a_little_less(days: int, hours: int) -> None:
    end = BORN + timedelta(days=days)
    latest, soonest = renewal.by_age(BORN, end, 0), renewal.by_age(BORN, end, 1)
    assert (latest - BORN) / timedelta(hours=1) == pytest.approx(hours)
    assert timedelta() < latest - soonest < timedelta(days=days) / 15


def test_a_moment_within_the_window_is_chosen() -> None:
    window = Window(BORN + timedelta(days=50), BORN + timedelta(days=52))
    end = BORN + timedelta(days=90)
    assert renewal.by_window(window, BORN, end, 0) == window.start
    assert renewal.by_window(window, BORN, end, 0.5) == BORN + timedelta(days=51)


def test_no_window_makes_a_renewal_come_too_late() -> None:
    window = Window(BORN + timedelta(days=89), BORN + timedelta(days=95))
    end = BORN + timedelta(days=90)
    assert renewal.by_window(window, BORN, end, 1) == BORN + timedelta(days=81)


@pytest.mark.parametrize(
    "document",
    [
        None,
        {},
        {"suggestedWindow": {"start": "soon", "end": "later"}},
        {"suggestedWindow": {"start": "2026-11-22T00:00:00", "end": "2026-11-23T00:00:00"}},
        {"suggestedWindow": {"start": "2026-11-23T00:00:00Z", "end": "2026-11-22T00:00:00Z"}},
    ],
)
def test_nonsense_of_a_ca_is_refused(document: object) -> None:
    with pytest.raises(BadAnswer):
        renewal.read_window(document)


def test_a_window_is_read_as_rfc_9773_has_it() -> None:
    window = renewal.read_window(
        {
            "suggestedWindow": {"start": "2025-01-02T04:00:00Z", "end": "2025-01-03T04:00:00Z"},
            "explanationURL": "https://acme.example.com/docs/ari",
        }
    )
    assert window.start == datetime(2025, 1, 2, 4, tzinfo=UTC)
    assert window.end - window.start == timedelta(days=1)


def test_the_ca_is_asked_again_when_it_says_but_neither_at_once_nor_never() -> None:
    again = [
        renewal.ask_again_at(wanted, BORN) - BORN
        for wanted in (None, BORN, BORN + timedelta(hours=2), BORN + timedelta(days=365))
    ]
    assert again == [
        *(timedelta(hours=6), timedelta(minutes=1), timedelta(hours=2), timedelta(days=1)),
    ]


def test_a_certificate_is_named_as_rfc_9773_names_it() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    identifier = bytes.fromhex("69885B6B87464041E1B37B847BA0AE2CDE01C8D4")
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(x509.Name([]))
        .public_key(key.public_key())
        .serial_number(0x87654321)
        .not_valid_before(BORN)
        .not_valid_after(BORN + timedelta(days=1))
        .add_extension(x509.AuthorityKeyIdentifier(identifier, None, None), critical=False)
        .sign(key, hashes.SHA256())
    )
    assert renewal.certificate_id(certificate) == "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE"
