"""TLS of blocks as a whole: pairs, inheritance, shared sockets, and the way out and back."""

import base64
import os
from pathlib import Path

import pytest

from proxycore.contract.listen import Listen
from proxycore.contract.protocol import Protocol
from proxycore.contract.secret import Secret
from proxycore.contract.snapshot import AuthHttp, Server, Snapshot
from proxycore.contract.tls import BackTls, Certificate, ConfCommand, FrontTls
from proxycore.net.tls.material import inlined_front
from proxycore.nginxconf import dump, files_of, load
from tests.support.pki import self_signed
from tests.unit.proxycore.nginxconf.conftest import LoadText, mail, remarked, said, the_server

PAIR = "ssl_certificate /a.crt; ssl_certificate_key /a.key;"


def front(load_text: LoadText, server: str, main: str = "") -> FrontTls:
    return the_server(load_text(mail(server, main))).front_tls


def pair(name: str) -> Certificate:
    return Certificate(ssl_certificate=f"/{name}.crt", ssl_certificate_key=Secret(f"/{name}.key"))


# --- certificates -------------------------------------------------------------------------------


def test_certificates_and_keys_are_paired_in_their_order(load_text: LoadText) -> None:
    found = front(
        load_text,
        "starttls on; ssl_certificate_key /a.key; ssl_certificate /a.crt; "
        "ssl_certificate /b.crt; ssl_certificate_key /b.key;",
    )
    assert found.certificates == (pair("a"), pair("b"))


def test_certificate_and_key_are_inherited_apart(load_text: LoadText) -> None:
    found = front(load_text, "starttls on; ssl_certificate /b.crt;", PAIR)
    assert found.certificates == (
        Certificate(ssl_certificate="/b.crt", ssl_certificate_key=Secret("/a.key")),
    )


def test_a_key_too_many_is_left_out_with_a_warning(load_text: LoadText) -> None:
    loaded = load_text(mail(f"starttls on; {PAIR} ssl_certificate_key /b.key;"))
    assert the_server(loaded).front_tls.certificates == (pair("a"),)
    assert remarked(loaded) == [
        'warn 2: "ssl_certificate_key" is there more often than "ssl_certificate": left out'
    ]


def test_paths_start_from_the_file_s_own_directory(load_text: LoadText, tmp_path: Path) -> None:
    server = the_server(
        load_text(
            mail(
                "starttls on; ssl_certificate a.crt; ssl_certificate_key data:x; ssl_crl '';"
                "ssl_conf_command Options a; ssl_conf_command ClientCAFile b;"
                "ssl_session_ticket_key k; proxy_ssl_trusted_certificate ca.pem;"
            )
        )
    )
    tls = server.front_tls
    assert tls.certificates == (
        Certificate(ssl_certificate=f"{tmp_path}/a.crt", ssl_certificate_key=Secret("data:x")),
    )
    assert tls.ssl_crl == ""
    assert tls.ssl_session_ticket_key == (Secret(f"{tmp_path}/k"),)
    assert tls.ssl_conf_command == (
        ConfCommand(name="Options", value="a"),
        ConfCommand(name="ClientCAFile", value=f"{tmp_path}/b"),
    )
    assert server.back_tls.proxy_ssl_trusted_certificate == f"{tmp_path}/ca.pem"


def test_clients_cannot_be_asked_without_an_authority(load_text: LoadText) -> None:
    loaded = load_text(mail(f"starttls on; {PAIR} ssl_verify_client optional;"))
    assert said(loaded) == [
        "2: no ssl_client_certificate or ssl_trusted_certificate for ssl_verify_client"
    ]
    given = f"starttls on; {PAIR} ssl_verify_client on; ssl_trusted_certificate /ca.pem;"
    assert front(load_text, given).ssl_verify_client == "on"


# --- ssl on, sessions ---------------------------------------------------------------------------


def test_ssl_on_makes_all_sockets_of_its_blocks_tls(load_text: LoadText) -> None:
    loaded = load_text(
        f"mail {{ auth_http a; {PAIR} ssl on;\n"
        "server { listen 993; listen 994; } server { listen 143; ssl off; } }"
    )
    assert loaded.snapshot is not None, loaded.problems
    tls, plain = loaded.snapshot.servers
    assert [one.ssl for one in (*tls.listens, *plain.listens)] == [True, True, False]


@pytest.mark.parametrize(
    ("of_mail", "of_server", "found"),
    [
        ("", "builtin", ("stored", 20_480, "")),
        ("", "builtin:9; ssl_session_cache shared:A:40k", ("stored", 9, "A")),
        ("", "shared:A:40k; ssl_session_cache shared:B:40k", ("stored", 0, "B")),
        ("", "none; ssl_session_cache builtin:9", ("stored", 9, "")),
        ("builtin:9", "shared:A:40k", ("stored", 0, "A")),
        ("shared:A:40k", "builtin:9", ("stored", 9, "A")),
        ("shared:A:40k", "off", ("off", 0, "A")),
        ("off", "shared:A:40k", ("stored", 0, "A")),
    ],
)
def test_the_parts_of_a_session_cache_are_inherited_apart(
    load_text: LoadText, of_mail: str, of_server: str, found: tuple[str, int, str]
) -> None:
    outer = f"ssl_session_cache {of_mail};" if of_mail else ""
    tls = front(load_text, f"ssl_session_cache {of_server};", outer)
    assert found == (
        tls.ssl_session_cache,
        tls.ssl_session_cache_builtin_count,
        tls.ssl_session_cache_shared_name,
    )


# --- shared sockets -----------------------------------------------------------------------------

SHARED = (
    f"mail {{ auth_http a; {PAIR}\n"
    "server { listen 993 ssl; server_name a.example; }\n"
    "server { listen 993 ssl; server_name b.example *.b.example; so_keepalive on; } }"
)


def test_blocks_share_a_socket_by_name(load_text: LoadText) -> None:
    loaded = load_text(SHARED)
    assert loaded.problems == []
    assert loaded.snapshot is not None
    assert [server.listens for server in loaded.snapshot.servers] == [
        (Listen(port=993, ssl=True),)
    ] * 2


@pytest.mark.parametrize(
    ("was", "becomes", "why"),
    [
        ("b.example *.b", "a.example *.b", ', and server name "a.example" is in both blocks'),
        ("server_name b.example *.b.example;", "", ", and no server_name to tell the blocks "),
        ("server { listen 993 ssl; server_name b", "server { listen 993; server_name b", ""),
        ("so_keepalive on", "protocol pop3", ", with another protocol (imap, pop3)"),
    ],
)
def test_a_socket_that_cannot_be_shared_is_told_with_nginx_s_words_and_the_reason(
    load_text: LoadText, was: str, becomes: str, why: str
) -> None:
    assert was in SHARED
    (found,) = said(load_text(SHARED.replace(was, becomes)))
    assert found.startswith(f'3: duplicate "0.0.0.0:993" address and port pair{why}')


def test_what_is_shared_stands_before_other_problems_only_if_it_is_one(
    load_text: LoadText,
) -> None:
    assert said(load_text(SHARED.replace("so_keepalive on", "timeout x"))) == [
        '3: "timeout" directive invalid value'
    ]


# --- towards mail servers -----------------------------------------------------------------------


def test_pins_that_nobody_looks_at_are_refused(load_text: LoadText) -> None:
    pin = "sha256/" + "A" * 43 + "="
    loaded = load_text(mail(f"proxy_ssl_pin {pin};\nproxy_ssl_verify off;"))
    assert said(loaded) == ["2: pins without proxy_ssl_verify would not be looked at"]


def test_a_certificate_of_ours_needs_its_key(load_text: LoadText) -> None:
    given = "proxy_ssl starttls; proxy_ssl_certificate /c; proxy_ssl_certificate_key /k;"
    assert the_server(load_text(mail(given))).back_tls == BackTls(
        proxy_ssl="starttls",
        proxy_ssl_certificate="/c",
        proxy_ssl_certificate_key=Secret("/k"),
    )


# --- out and back -------------------------------------------------------------------------------


def test_a_block_that_nginx_cannot_have_is_written_for_us_alone(
    load_text: LoadText, tmp_path: Path
) -> None:
    loaded = load_text(SHARED)
    assert loaded.snapshot is not None
    text = dump(loaded.snapshot)
    assert "    # for postroad alone: nginx cannot share a socket among blocks (SNI)\n" in text
    assert "    # postroad: server {\n" in text
    assert text.count("    listen *:993 ssl;\n") == 1
    again = load_text(text)
    assert (again.problems, again.notices) == ([], [])
    assert again.snapshot == loaded.snapshot


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("mail { # postroad: server {\n }", ["opens a block that no such comment closes"]),
        ("mail { # postroad: server {\n timeout 5; }", ["opens a block that no such comment"]),
        ("mail { # postroad: server {\n server { } }", ["opens a block that no such comment"]),
        ("mail { # postroad: }\n }", ["holds no setting"]),
    ],
)
def test_a_block_in_comments_is_whole_or_remarked(
    load_text: LoadText, text: str, messages: list[str]
) -> None:
    loaded = load_text(text)
    for message, notice in zip(messages, loaded.notices, strict=True):
        assert f'comment "# postroad:" {message}' in notice.message


def test_content_is_written_to_files_beside_the_configuration(tmp_path: Path) -> None:
    mine, ticket = self_signed("a.example"), os.urandom(80)
    tls = FrontTls(
        starttls="on",
        certificates=(
            Certificate(
                ssl_certificate="data:" + mine.pem,
                ssl_certificate_key=Secret("data:" + mine.key_pem),
            ),
        ),
        ssl_session_ticket_key=(Secret("data:" + base64.b64encode(ticket).decode()),),
    )
    server = the_server_with(tls)
    snapshot = Snapshot(servers=(server,))
    config = tmp_path / "nginx.conf"
    config.write_text(dump(snapshot))
    for name, content in files_of(snapshot).items():
        (tmp_path / name).write_bytes(content)
    assert "BEGIN" not in config.read_text()
    loaded = load(str(config))
    assert loaded.snapshot is not None, loaded.problems
    assert inlined_front(the_server(loaded).front_tls) == tls


def the_server_with(tls: FrontTls) -> Server:

    return Server(
        name="imap",
        protocol=Protocol.IMAP,
        listens=(Listen(port=143),),
        auth_http=AuthHttp(host="127.0.0.1"),
        front_tls=tls,
    )
