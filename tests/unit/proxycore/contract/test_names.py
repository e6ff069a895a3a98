"""The name a server block greets with."""

import pytest

from proxycore.contract.names import is_wildcard, primary_name


@pytest.mark.parametrize(
    ("names", "own"),
    [
        ((), ""),
        (("a.example", "b.example"), "a.example"),
        (("*.a.example", "b.example"), "b.example"),
        (("mail.*", "b.example"), "b.example"),
        ((".a.example",), "a.example"),
        (("_", "b.example"), ""),
        (("*",), ""),
        (("*.a.example",), ""),
    ],
)
def test_the_first_that_is_no_wildcard_is_its_own(names: tuple[str, ...], own: str) -> None:
    assert primary_name(names) == own


def test_a_leading_dot_is_no_wildcard_for_greetings() -> None:
    assert [is_wildcard(name) for name in ("*", "*.a", "a.*", ".a", "a.b", "_")] == [
        *(True, True, True),
        *(False, False, False),
    ]
