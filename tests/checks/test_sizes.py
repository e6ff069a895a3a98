"""Modules and functions stay small enough to read in one sitting.

Modules above the soft limit are named at the end of the test run (conftest.py).
"""

import ast
from pathlib import Path

import pytest

from tests.checks.tree import name_of, sources, tree_of

HARD_LINES = 450
FUNCTION_LINES = 60
TEST_LINES = 500


def _lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").split("\n")) - 1


@pytest.mark.parametrize("path", sources("proxycore", "appliance"), ids=name_of)
def test_no_module_is_too_long(path: Path) -> None:
    assert _lines(path) <= HARD_LINES


@pytest.mark.parametrize("path", sources("proxycore", "appliance"), ids=name_of)
def test_no_function_is_too_long(path: Path) -> None:
    long = {
        node.name: length
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := (node.end_lineno or 0) - node.lineno + 1) > FUNCTION_LINES
    }
    assert not long


@pytest.mark.parametrize("path", sources("tests"), ids=name_of)
def test_no_test_file_is_too_long(path: Path) -> None:
    assert _lines(path) <= TEST_LINES
