"""Text from outside, made storable."""

from appliance.lib.text import storable


def test_nul_is_shown_and_length_is_cut() -> None:
    assert storable("a\x00bc", 3) == "a?b"
