"""Networks an account may be used from."""

import pytest

from appliance.routing import networks


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("", ""),
        ("192.0.2.7/24", "192.0.2.0/24"),
        ("192.0.2.7, 2001:DB8::/32  192.0.2.7", "192.0.2.7/32 2001:db8::/32"),
    ],
)
def test_networks_are_stored_in_one_form(typed: str, stored: str) -> None:
    assert networks.normalise(typed) == stored


@pytest.mark.parametrize("typed", ["mail.example.com", "192.0.2.0/33", "192.0.2", "1"])
def test_what_is_no_network_is_named(typed: str) -> None:
    with pytest.raises(ValueError, match=f"{typed} is no network"):
        networks.normalise(f"192.0.2.1 {typed}")


@pytest.mark.parametrize(
    ("address", "is_inside"),
    [
        ("192.0.2.9", True),
        ("192.0.3.9", False),
        ("2001:db8::1", True),
        ("2001:db9::1", False),
        ("::ffff:192.0.2.9", True),
        ("unix:", False),
        ("", False),
        ("nonsense", False),
    ],
)
def test_an_address_is_inside_or_not(address: str, is_inside: bool) -> None:
    assert networks.contains("192.0.2.0/24 2001:db8::/32", address) is is_inside


@pytest.mark.parametrize("address", ["192.0.2.9", "unix:", ""])
def test_without_networks_every_address_is_inside(address: str) -> None:
    assert networks.contains("", address)
