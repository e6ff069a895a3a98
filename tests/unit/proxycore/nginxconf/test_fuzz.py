"""Whatever a file holds, loading it reports and never raises."""

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from proxycore.nginxconf import dump, format_report, load
from proxycore.nginxconf.table import BY_NAME
from tests.unit.proxycore.snapshots import snapshots

_VALUES = [
    "on",
    "off",
    "0",
    "1",
    "5s",
    "143",
    "110",
    "*:143",
    "[::1]:25",
    "unix:/x",
    "auto",
    "plain",
    "login",
    "apop",
    "imap",
    "pop3",
    "smtp",
    "_",
    ".a.b",
    "*",
    '""',
    '"a',
    'b"',
    "'c'",
    "#",
    "x}",
    "http://a/b",
    "99999999999999999999",
    "4k",
    "4g",
    "stderr",
    "info",
    "backlog=1",
    "ssl",
    "\\",
]
_TOKENS = st.sampled_from(
    [*BY_NAME, *_VALUES, ";", ";", ";", "{", "}", "\n", "# postroad: name x;\n", "wat", "root"]
)
_BLOCKS = st.sampled_from(["mail {", "events {", "mail { server {", ""])


def check(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "nginx.conf"
        path.write_bytes(content)
        loaded = load(str(path))
    assert (loaded.snapshot is None) == bool(loaded.problems)
    assert format_report(loaded)


@given(_BLOCKS, st.lists(_TOKENS, max_size=30))
def test_token_soup(block: str, tokens: list[str]) -> None:
    check(" ".join((block, *tokens)).encode())


@given(
    st.lists(
        st.tuples(st.sampled_from(sorted(BY_NAME)), st.lists(st.sampled_from(_VALUES), max_size=3)),
        max_size=8,
    )
)
def test_whole_statements_with_any_values(statements: list[tuple[str, list[str]]]) -> None:
    body = "\n".join(f"{name} {' '.join(args)};" for name, args in statements)
    check(f"{body}\nmail {{ auth_http a;\n{body}\nserver {{ listen 143;\n{body}\n}} }}".encode())


@given(st.binary(max_size=80))
def test_octets(content: bytes) -> None:
    check(content)


@given(snapshots(), st.data())
def test_a_good_file_with_a_piece_torn_out(snapshot: object, data: st.DataObject) -> None:
    text = dump(snapshot).encode()  # type: ignore[arg-type]
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 40)))
    check(text[:start] + text[end:])
