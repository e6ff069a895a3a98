"""Every number of every list of nginx's own mail tests is asserted, and found from the list.

Over sockets, beside nginx, in this folder: ``test_NAME.py`` has the numbers as first arguments. As
transcripts in ``tests/protocol``: a comment says ``# nginx: NAME 3 4``.
"""

import ast
import re
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


NO_TRANSCRIPT = {
    "mail_error_log": "log files and syslog",
    "mail_imap_ssl": "certificates of clients, in handshakes and in what the auth service is told",
    "mail_proxy_protocol": "the header is read and sent below the dialogue",
    "mail_resolver": "the name is looked up below the dialogue",
    "mail_ssl": "handshakes; STARTTLS itself is in mail_capability and the stories named starttls",
    "mail_ssl_conf_command": "handshakes",
    "mail_ssl_session_reuse": "handshakes",
    "worker_shutdown_timeout_mail": "processes and signals",
}
"""Scripts that show nothing two parties say to each other, and what they show."""

_TRANSCRIPTS = Path(__file__).parents[1] / "protocol"
_TAG = re.compile(r"^# nginx: (\w+)((?: \d+)+)$", re.MULTILINE)


def test_every_number_has_a_transcript_that_names_it() -> None:
    found: dict[str, set[int]] = {name: set() for name in COUNTS.keys() - NO_TRANSCRIPT.keys()}
    for path in _TRANSCRIPTS.glob("*/*.dialogue"):
        text = path.read_text(encoding="utf-8")
        tags = _TAG.findall(text)
        assert len(tags) == text.count("# nginx:"), f"{path}: a tag that cannot be read"
        for name, numbers in tags:
            found[name].update(map(int, numbers.split()))
    assert found == {name: set(range(1, COUNTS[name] + 1)) for name in found}


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
