"""Our verdicts beside those of Debian's nginx: the same first error, in the same line."""

import re
import subprocess
from pathlib import Path

import pytest

from proxycore.nginxconf import load
from tests.support import require

pytestmark = pytest.mark.integration

MODULE = "/usr/lib/nginx/modules/ngx_mail_module.so"

_BROKEN = [
    # the language
    "wat 1;",
    "mail { wat; }",
    "mail { wat { a; } }",
    "mail;",
    "mail {",
    "mail { } }",
    "}",
    "mail { ; }",
    "{ }",
    "mail { timeout { } }",
    "mail { timeout 5 }",
    "mail { timeout 5",
    "mail {\n timeout 5\n}\n",
    "mail { timeout '5",
    "mail { timeout '5's; }",
    "mail {\n  timeout\n  5\n  6\n  ;\n}",
    "mail { server x { } }",
    "mail { } mail { }",
    "include nowhere.conf;",
    "include a b;",
    # where things may stand
    "listen 110;",
    "mail { protocol imap; }",
    "mail { root /x; }",
    "mail { worker_connections 1; }",
    "server { }",
    # processes
    "worker_processes x;",
    "worker_processes 1; worker_processes 2;",
    "user a b c;",
    "worker_shutdown_timeout -1;",
    "error_log stderr loud;",
    "error_log stderr warn info;",
    "daemon maybe;",
    # kinds of value
    "mail { timeout 5x; }",
    "mail { timeout '5 1m'; }",
    "mail { timeout 1M; }",
    "mail { timeout ''; }",
    "mail { timeout 1m 5; }",
    "mail {\n timeout 5;\n timeout 6; }",
    "mail { proxy maybe; }",
    "mail { proxy on; proxy on; }",
    "mail { xclient on off; }",
    "mail { imap_client_buffer 4g; }",
    "mail { max_errors -1; }",
    "mail { max_errors 1s; }",
    "mail { pop3_auth login; }",
    "mail { imap_auth; }",
    "mail { smtp_auth plain digest-md5; }",
    "mail { smtp_greeting_delay 1y; }",
    # auth_http
    "mail { auth_http a b; }",
    "mail { auth_http ''; }",
    "mail { auth_http unix:; }",
    "mail { auth_http [::1]x; }",
    "mail { auth_http 127.0.0.1:0; }",
    "mail { auth_http_header a; }",
    "mail { server { listen 143; } }",
    "mail { server { listen 143; }\n server { listen 110; } }",
    # listen and protocol
    "mail { server { protocol imap; } }",
    "mail {\n server\n {\n } }",
    "mail { server { protocol wat; } }",
    "mail { server { protocol IMAP; } }",
    *(
        f"mail {{ auth_http 127.0.0.1;\n server {{ listen {listen}; }} }}"
        for listen in (
            "0",
            "65536",
            "*:",
            "127.0.0.1:x",
            "127.0.0.1:5-3",
            "5-3",
            "127.0.0.1:80/",
            "[::1",
            "[::1]x",
            "[::g]:143",
            "[]",
            "[::]:",
            ":110",
            "''",
            "unix:",
            "unix:/" + "x" * 200,
            "110 backlog=0",
            "110 backlog=x",
            "110 rcvbuf=x",
            "110; listen *:110",
            "110; listen 0.0.0.0:110",
            "[::]:110; listen [::0]:110",
            "110; } server { listen 110",
        )
    ),
]

_BROKEN += [
    # error_log
    *(
        f"error_log {log};"
        for log in (
            "syslog:foo=1",
            "syslog:",
            "syslog:server=127.0.0.1,",
            "syslog:server=127.0.0.1,severity=x",
            "syslog:tag=a-b",
            f"syslog:tag={'a' * 33}",
            "syslog:server=a/b",
            "syslog:server=127.0.0.1:x",
            "syslog:server=127.0.0.1,server=127.0.0.2",
            "syslog:nohostname",
            "syslog:server=127.0.0.1,facility=Mail",
            "syslog:server=",
            "syslog:server=[::1",
            "stderr wat",
            "stderr info warn",
            "stderr debug debug_mail",
            "stderr debug_mail info",
        )
    ),
    "error_log;",
    "mail { error_log stderr wat; }",
    "mail { server { error_log syslog:; } }",
    # parameters of listen
    *(
        f"mail {{ auth_http 127.0.0.1; server {{ listen 143 {parameter}; }} }}"
        for parameter in (
            "so_keepalive=::",
            "so_keepalive=1:2:3:4",
            "so_keepalive=x",
            "so_keepalive=",
            "so_keepalive=:::5",
            "so_keepalive=1ms",
            "sndbuf=1g",
            "ipv6only=of",
            "ipv6only=ox",
        )
    ),
    # TLS: what is wrong whether it is built or not
    "mail { ssl wat; }",
    "mail { starttls maybe; }",
    "mail { starttls off; starttls off; }",
    "mail { ssl_session_cache shared:a:1k; }",
    "mail { ssl_session_cache shared:SSL; }",
    "mail { ssl_session_cache builtin shared:a:1m none; }",
    "mail { ssl_session_timeout x; }",
    "mail { ssl_verify_client maybe; }",
    "mail { ssl_protocols TLSv9; }",
    "mail { ssl_verify_depth x; }",
    "mail { ssl_session_tickets 1; }",
    "mail { ssl_conf_command a; }",
    "mail { auth_http_pass_client_cert 1; }",
    # nginx's buffer
    f"#{'x' * 4095}\n",
    f"mail {{ imap_capabilities {'x' * 4096}; }}",
    f"mail {{\n imap_capabilities '{'x' * 4095}'; }}",
    'mail {\n imap_capabilities\n "' + "x\n" * 4095 + '"; }',
]

_GOOD = [
    "mail { ssl_session_cache none; starttls off; ssl_verify_client off; }",
    f"#{'x' * 4094}\nmail {{ imap_capabilities {'x' * 4095}; pop3_capabilities '{'x' * 4094}'; }}",
    "error_log stderr debug_mail debug_event; "
    "error_log syslog:server=unix:/dev/log,tag=a_1,nohostname info; "
    "mail { error_log x; error_log y crit; server { listen 143; error_log stderr; } "
    "auth_http 127.0.0.1; }",
    "error_log syslog:server=127.0.0.1:5514,facility=mail,severity=info;",
    "mail { auth_http 127.0.0.1; server { listen 143 so_keepalive=30m::10 rcvbuf=8k sndbuf=1m; } "
    "server { listen 127.0.0.1:143; } server { listen [::]:143 ipv6only=off so_keepalive=off; } }",
    "",
    "mail { }",
    "mail { server { listen 143; } auth_http 127.0.0.1; }",
    "mail { auth_http 127.0.0.1; auth_http 127.0.0.2; server { listen 143; protocol pop3; } }",
    "mail { timeout '1h 30m'; proxy_timeout 1d12h; smtp_greeting_delay 250ms; }",
    "mail { timeout 60000; auth_http_timeout 5; }",
    'mail { imap_capabilities "A\\"B" C; pop3_capabilities X; pop3_capabilities Y; }',
    "mail { imap_auth plain; } # end",
    "mail { imap_auth PLAIN login plain; smtp_auth login; smtp_auth plain; }",
    "mail { auth_http http://127.0.0.1:9/a?b; server { listen unix:/tmp/x; protocol smtp; } }",
    "mail { auth_http [::1]:9000/auth; server { listen [::]:110 ipv6only=on; listen 110 bind; } }",
    "mail { auth_http unix:/x:/auth; server { listen 127.0.0.1:5001-5003; protocol imap; } }",
    "mail { auth_http 127.0.0.1; server { listen 0.0.0.0:143 backlog=5; server_name x}y; } }",
    "worker_processes auto; worker_shutdown_timeout 10s; user nobody nogroup;",
]


def nginx_says(path: Path) -> str:
    """Give nginx's first error with its place, or nothing when it takes the file."""
    command = [require.program("nginx"), "-t", "-p", str(path.parent), "-e", "stderr", "-c", path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    errors = re.findall(r"\[(?:emerg|warn)\][^:]*?: (.* in \S+:\d+)$", done.stderr, re.MULTILINE)
    assert (done.returncode == 0) == ("test is successful" in done.stderr)
    if done.returncode == 0:
        return ""
    assert errors, done.stderr
    return str(errors[-1])


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "nginx.conf"


def write(path: Path, text: str) -> None:
    require.program(MODULE)
    head = f"load_module {MODULE}; pid {path.parent}/pid; events {{ }}\n"
    path.write_text(head + text, encoding="utf-8")


@pytest.mark.parametrize("text", _BROKEN)
def test_the_first_error_is_nginx_s(config: Path, text: str) -> None:
    write(config, text)
    ours = load(str(config))
    assert f"{ours.problems[0].message} in {config}:{ours.problems[0].line}" == nginx_says(config)


@pytest.mark.parametrize("text", _GOOD)
def test_what_nginx_takes_is_taken(config: Path, text: str) -> None:
    write(config, text)
    assert nginx_says(config) == ""
    assert load(str(config)).problems == []
