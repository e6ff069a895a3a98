"""What a file becomes, and what is said about it."""

from pathlib import Path

import pytest

from proxycore.contract.protocol import Protocol
from proxycore.contract.snapshot import AuthHttp, ErrorLog, Listen, Process, Server
from proxycore.nginxconf import format_report, load, load_text
from tests.unit.proxycore.nginxconf.conftest import LoadText, mail, remarked, said, the_server

LISTING_15_1 = """\
user nobody;
worker_processes 1;

error_log logs/error.log info;
pid logs/nginx.pid;

events {
    worker_connections 1024;
    multi_accept on;
}

mail {
    auth_http 192.168.1.44:80/mail/auth.php;
    pop3_capabilities "TOP" "USER";
    imap_capabilities "IMAP4rev1" "UIDPLUS";

    server {
        listen 110;
        protocol pop3;
        proxy on;
    }

    server {
        listen 143;
        protocol imap;
        proxy on;
    }
}
"""


def test_listing_15_1_loads_unmodified(load_text: LoadText, tmp_path: Path) -> None:
    loaded = load_text(LISTING_15_1)
    assert loaded.problems == []
    assert loaded.snapshot is not None
    auth_http = AuthHttp(host="192.168.1.44", port=80, uri="/mail/auth.php")
    capabilities = {
        "pop3_capabilities": ("TOP", "USER"),
        "imap_capabilities": ("IMAP4rev1", "UIDPLUS"),
    }
    assert loaded.snapshot.servers == tuple(
        Server(
            name=f"{protocol} *:{port}",
            protocol=protocol,
            listens=(Listen(port=port),),
            auth_http=auth_http,
            **capabilities,
        )
        for protocol, port in ((Protocol.POP3, 110), (Protocol.IMAP, 143))
    )
    assert loaded.snapshot.process == Process(
        worker_processes=1,
        worker_connections=1024,
        user="nobody",
        pid=f"{tmp_path}/logs/nginx.pid",
        error_logs=(ErrorLog(target=f"{tmp_path}/logs/error.log", level="info"),),
    )
    assert remarked(loaded) == [
        'notice 9: "multi_accept" has no effect: the reactor decides',
        'notice 20: "proxy" has no effect, as in nginx: sessions are always proxied',
        'notice 26: "proxy" has no effect, as in nginx: sessions are always proxied',
    ]


def test_every_setting_of_a_server_can_be_said(load_text: LoadText) -> None:
    server = the_server(
        load_text(
            mail(
                """protocol smtp; server_name mx.example.com; timeout 30s; max_errors 3;
                proxy_timeout 1h; proxy_buffer 8k; proxy_pass_error_message on;
                imap_client_buffer 16k; imap_capabilities A B; imap_auth login plain;
                pop3_client_buffer 1k; pop3_capabilities C; pop3_auth plain;
                smtp_client_buffer 2k; smtp_capabilities "SIZE 10" X; smtp_auth login;
                smtp_greeting_delay 1500ms; xclient off; proxy_smtp_auth on;
                auth_http http://[::1]:9000/a; auth_http_timeout 5;
                auth_http_header K "v w"; auth_http_keepalive 4; auth_http_node_token on;
                auth_http_cache_ttl 1m; auth_http_cache_stale 1d;"""
            )
        )
    )
    assert server.auth_http.headers[0].value.reveal() == "v w"
    assert server == Server(
        name="smtp *:143",
        protocol=Protocol.SMTP,
        listens=(Listen(port=143),),
        auth_http=AuthHttp(
            host="::1",
            port=9000,
            uri="/a",
            headers=server.auth_http.headers,
            timeout_ms=5_000,
            keepalive=4,
            send_node_token=True,
            cache_ttl_ms=60_000,
            cache_stale_ms=86_400_000,
        ),
        server_names=("mx.example.com",),
        timeout_ms=30_000,
        max_errors=3,
        proxy_timeout_ms=3_600_000,
        proxy_buffer_bytes=8192,
        proxy_pass_error_message=True,
        imap_client_buffer_bytes=16_384,
        imap_capabilities=("A", "B"),
        imap_auth=("plain", "login"),
        pop3_client_buffer_bytes=1024,
        pop3_capabilities=("C",),
        pop3_auth=("plain",),
        smtp_client_buffer_bytes=2048,
        smtp_capabilities=("SIZE 10", "X"),
        smtp_auth=("login",),
        smtp_greeting_delay_ms=1500,
        xclient=False,
        proxy_smtp_auth=True,
    )


# --- inheritance --------------------------------------------------------------------------------


def test_what_mail_says_behind_a_server_block_counts_for_it(load_text: LoadText) -> None:
    loaded = load_text("mail { server { listen 143; } auth_http 127.0.0.1; timeout 5s; }")
    assert the_server(loaded).timeout_ms == 5_000


def test_a_server_s_own_value_replaces_the_inherited_one(load_text: LoadText) -> None:
    loaded = load_text(mail(main="timeout 5s; xclient off;", server="timeout 7s;"))
    assert (the_server(loaded).timeout_ms, the_server(loaded).xclient) == (7_000, False)


def test_one_entry_in_a_server_discards_the_inherited_list(load_text: LoadText) -> None:
    loaded = load_text(
        mail(
            main="imap_capabilities A; imap_capabilities B; imap_auth plain login;"
            "auth_http_header K1 a;",
            server="imap_capabilities C; imap_auth login; auth_http_header K2 b;",
        )
    )
    server = the_server(loaded)
    assert (server.imap_capabilities, server.imap_auth) == (("C",), ("login",))
    assert [header.name for header in server.auth_http.headers] == ["K2"]


def test_lists_grow_in_order_and_masks_unite_in_nginx_s_order(load_text: LoadText) -> None:
    server = the_server(
        load_text(
            mail("imap_capabilities A; imap_capabilities B; smtp_auth login; smtp_auth plain;")
        )
    )
    assert (server.imap_capabilities, server.smtp_auth) == (("A", "B"), ("plain", "login"))


def test_auth_http_is_replaced_as_a_unit(load_text: LoadText) -> None:
    server = the_server(load_text(mail(main="auth_http_timeout 9;", server="auth_http other/x;")))
    assert server.auth_http == AuthHttp(host="other", port=80, uri="/x", timeout_ms=9_000)


# --- listen and protocol ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("port", "protocol"),
    [(110, "pop3"), (995, "pop3"), (143, "imap"), (993, "imap"), (25, "smtp"), (587, "smtp")],
)
def test_a_well_known_port_tells_the_protocol(
    load_text: LoadText, port: int, protocol: str
) -> None:
    loaded = load_text(f"mail {{ auth_http a; server {{ listen {port}; }} }}")
    assert the_server(loaded).protocol == protocol
    assert loaded.notices == []


def test_an_explicit_protocol_wins_wherever_it_stands(load_text: LoadText) -> None:
    assert the_server(load_text(mail("protocol imap; protocol pop3;"))).protocol == "pop3"


def test_without_protocol_and_known_port_it_is_imap_and_said_so(load_text: LoadText) -> None:
    loaded = load_text("mail { auth_http a; server { listen 8000; } }")
    assert the_server(loaded).protocol == "imap"
    assert remarked(loaded) == [
        'warn 1: no "protocol" is defined for server and no port tells: imap'
    ]


def test_a_listen_without_port_takes_the_protocol_s(load_text: LoadText) -> None:
    loaded = load_text("mail { auth_http a; server { listen 127.0.0.1; protocol smtp; } }")
    assert the_server(loaded).listens == (Listen(address="127.0.0.1", port=25),)
    assert remarked(loaded) == ['warn 1: no port in "127.0.0.1" of "listen": 25 is used']


def test_a_port_range_is_a_socket_for_each(load_text: LoadText) -> None:
    server = the_server(load_text(mail("listen [::1]:5000-5002 bind backlog=7 ipv6only=on;")))
    assert [(one.key, one.backlog) for one in server.listens[1:]] == [
        (f"[::1]:{port}", 7) for port in (5000, 5001, 5002)
    ]


def test_a_port_the_protocol_tells_may_be_taken_already(load_text: LoadText) -> None:
    loaded = load_text(mail("listen 127.0.0.1; listen 127.0.0.1:143; listen 127.0.0.1;"))
    assert said(loaded) == ['2: duplicate "127.0.0.1:143" address and port pair'] * 2


def test_names_of_blocks_are_made_of_the_first_socket_and_unique(load_text: LoadText) -> None:
    long = "/" + "x" * 104
    loaded = load_text(
        "mail { auth_http a;"
        "server { listen 143; } server { listen unix:/{a,b=c}; protocol pop3; }"
        f"server {{ listen unix:{long}1; protocol imap; }}"
        f"server {{ listen unix:{long}2; protocol imap; }} }}".replace("/{a", "/${a")
    )
    assert loaded.snapshot is not None, loaded.problems
    names = [server.name for server in loaded.snapshot.servers]
    assert names[:2] == ["imap *:143", "pop3 unix:/$_a_b_c_"]
    assert names[3] == f"{names[2]} #2"
    assert max(map(len, names)) <= 100


# --- server_name --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("example.com www.example.com", ("example.com", "www.example.com")),
        ("example.com *.example.com", ("example.com", "*.example.com")),
        (".example.com", ("example.com", "*.example.com")),
        ("example.com *", ("example.com", "*")),
        ("*.example.com example.com", ("example.com", "*.example.com")),
        ("mail.* example.com", ("example.com", "mail.*")),
        ("_ *", ("_", "*")),
        ("_", ("_",)),
        ('""', ()),
        ("*", ("*",)),
    ],
)
def test_the_first_name_that_is_no_wildcard_greets(
    load_text: LoadText, words: str, names: tuple[str, ...]
) -> None:
    loaded = load_text(mail(f"server_name {words};"))
    assert the_server(loaded).server_names == names
    assert loaded.notices == []


@pytest.mark.parametrize("words", ["*.example.com", "mail.*", "_ mail.example.com"])
def test_names_that_do_not_greet_are_kept_with_a_remark(load_text: LoadText, words: str) -> None:
    loaded = load_text(mail(f"server_name {words};"))
    assert the_server(loaded).server_names == tuple(words.split())
    (remark,) = loaded.notices
    assert "the host's name is used" in remark.message


# --- remarks ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "remark"),
    [
        (mail("timeout 60000;"), 'warn 2: "timeout 60000" means 60000 seconds; '),
        (mail("auth_http_timeout 1000;"), 'warn 2: "auth_http_timeout 1000" means 1000 seconds; '),
        (mail("proxy_timeout 86400000;"), 'warn 2: "proxy_timeout 86400000" means 86400000 s'),
        (mail("proxy off;"), 'notice 2: "proxy" has no effect'),
        (mail("auth plain;"), 'warn 2: the "auth" directive is deprecated, use the "pop3_auth"'),
        (mail("imap_auth plain PLAIN;"), 'warn 2: duplicate value "PLAIN"'),
        (mail("imap_auth plain; imap_auth plain;"), 'warn 2: duplicate value "plain"'),
        ("imap { }", 'warn 1: the "imap" block is deprecated, use the "mail" block instead'),
        ("http { server { root /; } }", 'notice 1: "http" block is left out: postroad serves mail'),
        ("daemon on;", 'notice 1: "daemon" has no effect: postroad stays in the foreground'),
        ("load_module m/x.so;", 'notice 1: "load_module" has no effect: no modules are loaded'),
        (mail("server_name _ a;"), 'warn 2: "server_name" begins with no name of its own'),
        (mail("listen 1 backlog=70000;"), 'warn 2: "backlog=70000" is more than 65535'),
        ("# postroad: note", 'warn 1: comment "# postroad:" holds no setting'),
    ],
)
def test_what_is_remarkable_is_said_and_the_file_still_loads(
    load_text: LoadText, text: str, remark: str
) -> None:
    loaded = load_text(text)
    assert loaded.snapshot is not None, loaded.problems
    (found,) = remarked(loaded)
    assert found.startswith(remark)


@pytest.mark.parametrize(
    "line",
    [
        "load_module modules/ngx_mail_module.so;",
        mail("starttls off; proxy_protocol off; resolver off; ssl_session_cache none;"),
        mail("timeout 999;"),
    ],
)
def test_what_asks_for_nothing_is_not_remarked(load_text: LoadText, line: str) -> None:
    loaded = load_text(line)
    assert (loaded.problems, loaded.notices) == ([], [])


def test_a_block_can_have_empty_lists(load_text: LoadText) -> None:
    server = the_server(load_text(mail("# postroad: empty imap_auth imap_capabilities;\n")))
    assert (server.imap_auth, server.imap_capabilities) == ((), ())


# --- all problems in one run --------------------------------------------------------------------


def test_every_problem_is_told_in_the_order_of_the_file(load_text: LoadText) -> None:
    loaded = load_text(
        "mail {\n  wat { a 'b'c; }\n  timeout x;\n  server {\n    protocol no;\n  }\n"
        "  server { listen 143; listen *:143; }\n  ;\n"
    )
    assert said(loaded) == [
        '2: unknown directive "wat"',
        '2: unexpected "c"',
        '3: "timeout" directive invalid value',
        '5: unknown protocol "no"',
        '4: no "listen" is defined for server',
        '7: duplicate "0.0.0.0:143" address and port pair',
        '8: unexpected ";"',
        '9: unexpected end of file, expecting "}"',
        '4: no "auth_http" is defined for server',
        '7: no "auth_http" is defined for server',
    ]


def test_a_bad_auth_http_is_not_also_a_missing_one(load_text: LoadText) -> None:
    loaded = load_text("mail { auth_http h:x; server { listen 143; } }")
    assert said(loaded) == ['1: invalid port in auth_http "h:x"']


# --- files --------------------------------------------------------------------------------------


def test_included_files_are_read_in_place_and_blamed_by_their_own_name(tmp_path: Path) -> None:
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "1.conf").write_text("server { listen 143; }\n")
    (tmp_path / "conf.d" / "2.conf").write_text("\nserver { listen 110;\n wat; }")
    path = tmp_path / "nginx.conf"
    path.write_text("mail { auth_http a; include conf.d/*.conf; include none.d/*; }")
    loaded = load(str(path))
    assert [str(problem) for problem in loaded.problems] == [
        f'[emerg] unknown directive "wat" in {tmp_path}/conf.d/2.conf:3'
    ]
    (tmp_path / "conf.d" / "2.conf").write_text("server { listen 110; }")
    snapshot = load(str(path)).snapshot
    assert snapshot is not None
    assert [server.name for server in snapshot.servers] == ["imap *:143", "pop3 *:110"]


def test_a_file_that_includes_itself_ends(tmp_path: Path) -> None:
    path = tmp_path / "nginx.conf"
    path.write_text("include nginx.conf;")
    (problem,) = load(str(path)).problems
    assert problem.message == f'open() "{path}" failed (24: Too many open files)'


@pytest.mark.parametrize("name", ["missing.conf", "", "a\0b"])
def test_a_file_that_cannot_be_opened_is_a_problem(tmp_path: Path, name: str) -> None:
    path = tmp_path / "nginx.conf"
    path.write_text(f"include '{name}';")
    (problem,) = load(str(path)).problems
    assert problem.message.startswith(f'open() "{tmp_path}/{name}" failed (')
    assert problem.line == 1


def test_the_main_file_missing_is_a_problem_without_a_line(tmp_path: Path) -> None:
    loaded = load(str(tmp_path / "no.conf"))
    assert [str(problem) for problem in loaded.problems] == [
        f'[emerg] open() "{tmp_path}/no.conf" failed (2: No such file or directory)'
    ]


def test_relative_paths_start_from_the_prefix(tmp_path: Path) -> None:
    path = tmp_path / "nginx.conf"
    path.write_text(
        "pid run/x.pid; error_log stderr; error_log a.log; error_log /b.log debug_mail;"
    )
    snapshot = load(str(path), prefix="/srv").snapshot
    assert snapshot is not None
    assert snapshot.process.pid == "/srv/run/x.pid"
    assert [(log.target, log.level) for log in snapshot.process.error_logs] == [
        ("stderr", "error"),
        ("/srv/a.log", "error"),
        ("/b.log", "debug"),
    ]


# --- the report ---------------------------------------------------------------------------------


def test_the_report_of_a_good_file_ends_in_success(load_text: LoadText) -> None:
    loaded = load_text("daemon on;")
    assert format_report(loaded) == [
        'postroad: [notice] "daemon" has no effect: postroad stays in the foreground'
        f" in {loaded.path}:1",
        f"postroad: the configuration file {loaded.path} syntax is ok",
        f"postroad: configuration file {loaded.path} test is successful",
    ]


def test_our_comments_inside_what_is_left_out_are_left_out(load_text: LoadText) -> None:
    loaded = load_text("http { # postroad: note\n # postroad: wat;\n }")
    assert [notice.level for notice in loaded.notices] == ["notice"]
    assert loaded.problems == []


def test_the_report_of_a_bad_file_ends_in_failure(load_text: LoadText) -> None:
    loaded = load_text("wat;")
    assert format_report(loaded) == [
        f'postroad: [emerg] unknown directive "wat" in {loaded.path}:1',
        f"postroad: configuration file {loaded.path} test failed",
    ]


def test_a_secret_is_in_no_problem(load_text: LoadText) -> None:
    loaded = load_text(mail('auth_http_header A "hunter2\\n"; auth_http_header hunter2;'))
    assert "hunter2" not in repr(loaded)


def test_a_text_from_elsewhere_opens_no_file_and_is_in_its_own_directory(tmp_path) -> None:
    (tmp_path / "more.conf").write_text("bogus on;\n")
    text = "error_log logs/error.log;\ninclude more.conf;\nmail {}\n"
    loaded = load_text(text, name="nginx.conf", directory=str(tmp_path))
    (problem,) = loaded.problems
    assert problem.text == (
        '"more.conf" is not here: put its content in the place of "include" in nginx.conf:2'
    )
    rest = load_text(text.replace("include more.conf;", ""), name="x", directory="/etc/nginx")
    assert rest.snapshot is not None
    assert rest.snapshot.process.error_logs[0].target == "/etc/nginx/logs/error.log"
