"""Every number of every list of nginx's own mail tests is asserted somewhere in this folder."""

import ast
from pathlib import Path

import pytest

_HERE = Path(__file__).parent
_ASSERTIONS = ("like", "unlike", "ok", "holds", "closed")

COUNTS = {
    "mail_capability": 17,
    "mail_error_log": 30,
    "mail_imap": 31,
    "mail_imap_ssl": 13,
    "mail_max_errors": 18,
    "mail_pop3": 28,
    "mail_proxy_protocol": 8,
    "mail_proxy_smtp_auth": 7,
    "mail_resolver": 11,
    "mail_smtp": 41,
    "mail_smtp_greeting_delay": 2,
    "mail_smtp_xclient": 6,
    "mail_ssl": 19,
    "mail_ssl_conf_command": 3,
    "mail_ssl_session_reuse": 7,
    "worker_shutdown_timeout_mail": 4,
}
"""Numbered assertions of each script."""


@pytest.mark.parametrize("name", COUNTS)
def test_every_number_is_asserted(name: str) -> None:
    wanted = set(range(1, COUNTS[name] + 1))
    assert _numbers(_HERE / f"test_{name}.py") == wanted


def _numbers(path: Path) -> set[int]:
    """Give the first arguments of all assertions; of a parameter, the first of each tuple."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _name(node.func) in _ASSERTIONS:
            first = node.args[0]
            if isinstance(first, ast.Constant):
                found.add(int(ast.literal_eval(first)))
        if isinstance(node, ast.Call) and _name(node.func) == "parametrize":
            names, values = node.args
            if isinstance(names, ast.Tuple) and ast.literal_eval(names.elts[0]) == "number":
                assert isinstance(values, ast.List)
                found |= {ast.literal_eval(row.elts[0]) for row in values.elts}  # type: ignore[attr-defined]
    return found


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
