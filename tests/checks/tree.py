"""The source tree as the checks see it: files, syntax trees, and who mentions what."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def sources(*packages: str) -> list[Path]:
    """Give the Python files of packages (``proxycore/net``, …), migrations left out."""
    found = (path for package in packages for path in (ROOT / package).rglob("*.py"))
    return sorted(path for path in found if "migrations" not in path.parts)


def name_of(path: Path) -> str:
    """Give a file's path as it is written in lists."""
    return path.relative_to(ROOT).as_posix()


@cache
def tree_of(path: Path) -> ast.Module:
    """Parse a file, once."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def attributes(path: Path) -> Iterator[ast.Attribute]:
    """Give every ``something.name`` of a file."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Attribute):
            yield node


def calls_of(path: Path, *dotted: str) -> list[int]:
    """Give the lines that call one of these, named from the end: ``time.time``, ``splitlines``."""
    lines = []
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if any(name == one or name.endswith(f".{one}") for one in dotted):
                lines.append(node.lineno)
    return lines


def names_read(path: Path) -> tuple[set[str], list[re.Pattern[str]]]:
    """Give attribute names a file reads, and patterns of those it asks ``getattr`` for."""
    names = {node.attr for node in attributes(path) if isinstance(node.ctx, ast.Load)}
    patterns = []
    for node in ast.walk(tree_of(path)):
        is_getattr = isinstance(node, ast.Call) and ast.unparse(node.func) == "getattr"
        if is_getattr and isinstance(node, ast.Call) and len(node.args) > 1:
            wanted = node.args[1]
            if isinstance(wanted, ast.Constant):
                names.add(str(wanted.value))
            elif isinstance(wanted, ast.JoinedStr):
                patterns.append(re.compile("".join(map(_piece, wanted.values))))
    return names, patterns


def _piece(part: ast.expr) -> str:
    return re.escape(str(part.value)) if isinstance(part, ast.Constant) else ".+"
