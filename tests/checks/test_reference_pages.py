"""The generated reference pages say what the contract says."""

import pytest

from tests.checks.generate_docs import PAGES
from tests.checks.tree import ROOT


@pytest.mark.parametrize("name", PAGES)
def test_a_reference_page_is_up_to_date(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert text == PAGES[name](), "run: python -m tests.checks.generate_docs"
