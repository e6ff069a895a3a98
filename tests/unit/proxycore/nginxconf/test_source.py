"""Tokens, lines and faults of the text itself, as nginx reads it."""

import tempfile
from pathlib import Path

import crossplane
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxycore.nginxconf.source import Fault, Node, Statement, parse


def shape(nodes: tuple[Node, ...]) -> list[object]:
    """Give what matters of a tree: (name, args, line, block) and faults as text."""
    return [
        f"{node.message}:{node.place.line}"
        if isinstance(node, Fault)
        else (
            node.name,
            *node.args,
            node.place.line,
            *([] if node.block is None else [shape(node.block)]),
        )
        for node in nodes
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("a;", [("a", 1)]),
        ("a b c;", [("a", "b", "c", 1)]),
        ("a\n b\n;", [("a", "b", 3)]),
        ("a { b; }", [("a", 1, [("b", 1)])]),
        ("a 'x y' \"z;{}#\";", [("a", "x y", "z;{}#", 1)]),
        ("a '';", [("a", "", 1)]),
        (r'a "x\"y" \t\z;', [("a", 'x"y', "\t\\z", 1)]),
        (r"a x\;y x\ y;", [("a", "x\\;y", "x\\ y", 1)]),
        ("a x#y; # rest { ;", [("a", "x#y", 1)]),
        ("a x}y;", [("a", "x}y", 1)]),
        ("a ${b}c;", [("a", "${b}c", 1)]),
        ("a 'x\ny';b;", [("a", "x\ny", 2), ("b", 2)]),
        ("a\u00a0b;", [("a\u00a0b", 1)]),
        ("a 'b')c;", [("a", "b", ")c", 1)]),
        ("a\r\nb;\r\n", [("a", "b", 2)]),
        # faults, worded as nginx words them
        ("a", ['unexpected end of file, expecting ";" or "}":1']),
        ("a b\n", ['unexpected end of file, expecting ";" or "}":2']),
        ("a 'b\n", ['unexpected end of file, expecting ";" or "}":2']),
        ("a \\", ['unexpected end of file, expecting ";" or "}":1']),
        ("a {\n", [("a", 1, ['unexpected end of file, expecting "}":2'])]),
        ("a;}", [("a", 1), 'unexpected "}":1']),
        ("a { b }", [("a", 1, ['unexpected "}":1'])]),
        (";", ['unexpected ";":1']),
        ("{ a; } b;", ['unexpected "{":1', ("b", 1)]),
        ("a 'b'c;", ['unexpected "c":1', ("a", "b", "c", 1)]),
    ],
)
def test_text_is_taken_apart_as_nginx_does(text: str, expected: list[object]) -> None:
    assert shape(parse(text, "f")) == expected


def test_a_comment_of_ours_is_a_statement_and_says_so() -> None:
    (node,) = parse('# postroad: name "x y";', "f")
    assert isinstance(node, Statement)
    assert (node.name, node.args, node.ours) == ("name", ("x y",), True)


@pytest.mark.parametrize(
    "comment", ["# postroad: note to self", "# postroad: a {", "# postroad:", "# postroad: a; b {}"]
)
def test_a_comment_of_ours_that_holds_no_setting_is_remarked_and_harms_nothing(
    comment: str,
) -> None:
    fault, after = parse(f"{comment}\nz;", "f")
    assert isinstance(fault, Fault)
    assert not fault.fatal
    assert shape((after,)) == [("z", 2)]


def test_a_comment_of_ours_inside_a_statement_does_not_end_it() -> None:
    fault, whole = parse("a b\n# postroad: c;\nd;", "f")
    assert isinstance(fault, Fault)
    assert shape((whole,)) == [("a", "b", "d", 3)]


def test_blocks_nested_ten_thousand_deep_are_read() -> None:
    (node,) = parse("a {" * 10_000 + "}" * 10_000, "f")
    assert isinstance(node, Statement)


def test_an_argument_never_shows_in_a_statement_s_repr() -> None:
    assert "hunter2" not in repr(parse("auth_http_header K hunter2;", "f"))


@given(st.text(alphabet=st.sampled_from("ab;{}#'\"\\$ \n\t)é\x00"), max_size=60))
def test_any_text_gives_a_tree(text: str) -> None:
    parse(text, "f")


# --- crossplane reads well-formed text the same way -----------------------------------------------

_WORDS = st.text(alphabet="abcXYZ019_-./:*=@", min_size=1, max_size=8)
_STATEMENTS = st.recursive(
    st.lists(st.tuples(_WORDS, st.lists(_WORDS, max_size=3)), max_size=4),
    lambda inner: st.lists(st.tuples(_WORDS, st.lists(_WORDS, max_size=2), inner), max_size=3),
    max_leaves=12,
)


def _write(statements: list[tuple]) -> str:
    lines = []
    for name, args, *block in statements:
        head = " ".join((name, *(f'"{arg}"' for arg in args)))
        lines.append(f"{head} {{\n{_write(block[0])}\n}}" if block else f"{head};")
    return "\n".join(lines)


def _theirs(parsed: list[dict]) -> list[object]:
    return [
        (
            one["directive"],
            *one["args"],
            one["line"],
            *([_theirs(one["block"])] if "block" in one else []),
        )
        for one in parsed
    ]


@given(_STATEMENTS)
def test_crossplane_reads_well_formed_text_the_same_way(statements: list[tuple]) -> None:
    text = _write(statements)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "nginx.conf"
        path.write_text(text, encoding="utf-8")
        payload = crossplane.parse(
            str(path), check_ctx=False, check_args=False, single=True, comments=True
        )
    assert shape(parse(text, "f")) == _theirs(payload["config"][0]["parsed"])
