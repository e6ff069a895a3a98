"""A dump is a file of nginx's language that loads to the same snapshot."""

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from proxycore.contract.protocol import Protocol
from proxycore.contract.secret import Secret
from proxycore.contract.snapshot import AuthHttp, AuthHttpHeader, Listen, Server, Snapshot
from proxycore.nginxconf import dump, load
from proxycore.nginxconf.source import Statement, parse
from tests.unit.proxycore.snapshots import snapshots


def reload(text: str) -> Snapshot | None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "nginx.conf"
        path.write_text(text, encoding="utf-8")
        loaded = load(str(path), prefix="/")
    assert loaded.problems == []
    assert loaded.notices == []
    return loaded.snapshot


@given(snapshots())
def test_a_dump_loads_to_an_equal_snapshot(snapshot: Snapshot) -> None:
    again = reload(dump(snapshot))
    assert again == snapshot
    assert again is not None
    assert again.digest() == snapshot.digest()


_PLAIN = Server(
    name="imap *:143",
    protocol=Protocol.IMAP,
    listens=(Listen(port=143),),
    auth_http=AuthHttp(
        host="127.0.0.1",
        port=8000,
        uri="/auth_http",
        headers=(AuthHttpHeader(name="X-Key", value=Secret("hunter 2")),),
        keepalive=16,
    ),
    server_names=("a.example", "b.example"),
    imap_auth=(),
    timeout_ms=90_000,
)


def test_a_dump_reads_like_one_written_by_hand() -> None:
    assert dump(Snapshot(servers=(_PLAIN,))) == (
        "worker_processes auto;\n"
        "\n"
        "events {\n"
        "    worker_connections 16384;\n"
        "}\n"
        "\n"
        "mail {\n"
        "    server {\n"
        '        # postroad: name "imap *:143";\n'
        "        protocol imap;\n"
        "        listen *:143;\n"
        "        server_name a.example;\n"
        "        # postroad: server_alias b.example;\n"
        "        auth_http http://127.0.0.1:8000/auth_http;\n"
        '        auth_http_header X-Key "hunter 2";\n'
        "        # postroad: auth_http_keepalive 16;\n"
        "        timeout 90s;\n"
        "        # postroad: empty imap_auth;\n"
        "    }\n"
        "}\n"
    )


def test_a_dump_for_eyes_hides_secrets() -> None:
    text = dump(Snapshot(servers=(_PLAIN,)), reveal=False)
    assert "hunter" not in text
    assert f"auth_http_header X-Key {Secret.MASK};" in text


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=20))
def test_any_word_survives_quoting(word: str) -> None:
    text = dump(Snapshot(servers=(_with_capability(word),)))
    statements = [
        inner
        for outer in parse(text, "f")
        if isinstance(outer, Statement) and outer.name == "mail"
        for server in outer.block or ()
        if isinstance(server, Statement)
        for inner in server.block or ()
        if isinstance(inner, Statement) and inner.name == "imap_capabilities"
    ]
    assert [statement.args for statement in statements] == [(word,)]


def _with_capability(word: str) -> Server:
    return Server(
        name="x",
        protocol=Protocol.IMAP,
        listens=(Listen(port=1),),
        auth_http=AuthHttp(host="a"),
        imap_capabilities=(word,),
    )
