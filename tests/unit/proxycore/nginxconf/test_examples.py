"""Every example of the specification: it loads, survives the way out and back, and nginx reads it.

Debian's nginx does not know what came after 1.22, so such lines are not among the examples here.
"""

import subprocess
from pathlib import Path

import pytest

from proxycore.contract.snapshot import Snapshot
from proxycore.nginxconf import dump, load
from tests.support import require
from tests.unit.proxycore.nginxconf.test_loader import LISTING_15_1

_MODULE = "/usr/lib/nginx/modules/ngx_mail_module.so"

EXAMPLES = {
    "listing 15-1": LISTING_15_1.replace("user nobody;", "user nobody nogroup;"),
    "capabilities": "mail { imap_capabilities NAMESPACE SORT QUOTA; "
    "auth_http a:1; server { listen 143; } }",
    "auth service": "mail { auth_http localhost:9000/cgi-bin/nginxauth.cgi; auth_http_timeout 5; "
    'auth_http_header X-NGX-Auth-Key "secret_string"; server { listen 143; } }',
    "listens": "mail { auth_http 127.0.0.1; "
    "server { protocol imap; listen 127.0.0.1:8000; } "
    "server { protocol imap; listen 127.0.0.1; } "
    "server { protocol imap; listen *:8001; } "
    "server { protocol imap; listen 8002; } "
    "server { protocol imap; listen localhost:8003; } "
    "server { protocol imap; listen [::]:8000; } "
    "server { protocol pop3; listen [fe80::1]; } }",
    **{
        f"server_name {names}": "mail { auth_http 127.0.0.1; "
        f"server {{ listen 143; server_name {names}; }} }}"
        for names in (
            "example.com www.example.com",
            "example.com *.example.com",
            ".example.com",
            "example.com *",
            "_ *",
        )
    },
    "logs": "error_log /tmp/a.log info; error_log syslog:server=127.0.0.1:5514,tag=x debug; "
    "mail { auth_http 127.0.0.1; error_log stderr warn; server { listen 143; "
    "error_log /tmp/b.log; error_log syslog:server=unix:/dev/log,nohostname,facility=mail; } "
    "server { listen 110; } }",
    "sockets": "mail { auth_http 127.0.0.1; so_keepalive on; "
    "server { listen 143 backlog=9 rcvbuf=8k sndbuf=1m so_keepalive=30m::10; } "
    "server { listen 127.0.0.1:143; listen 127.0.0.2:143 bind; } "
    "server { listen [::]:110 ipv6only=off so_keepalive=off proxy_protocol; } }",
    "smtp": "mail { auth_http 127.0.0.1; smtp_capabilities 'SIZE 1000' 8BITMIME; "
    "server { listen 25; xclient off; smtp_auth plain cram-md5 none; proxy_smtp_auth on; "
    "smtp_greeting_delay 250ms; resolver 127.0.0.1 valid=5s; resolver_timeout 5s; } }",
    "proxies": "mail { auth_http [::1]:9000/auth; proxy_protocol on; proxy_timeout 1h; "
    "proxy_pass_error_message on; proxy_buffer 8k; set_real_ip_from 10.0.0.0/8; "
    "set_real_ip_from unix:; server { listen 143 proxy_protocol; max_errors 3; timeout 30s; "
    "imap_auth login external; imap_client_buffer 4k/8k; } }",
    "process": "worker_processes auto; worker_shutdown_timeout 10s; pid /tmp/p; "
    "events { worker_connections 99; } mail { }",
}


def loaded_from(path: Path) -> Snapshot:
    found = load(str(path), prefix="/")
    assert found.snapshot is not None, found.problems
    return found.snapshot


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_there_and_back(tmp_path: Path, example: str) -> None:
    path, again = tmp_path / "nginx.conf", tmp_path / "again.conf"
    path.write_text(EXAMPLES[example], encoding="utf-8")
    snapshot = loaded_from(path)
    again.write_text(dump(snapshot), encoding="utf-8")
    read = load(str(again), prefix="/")
    assert (read.problems, read.notices) == ([], [])
    assert read.snapshot == snapshot


@pytest.mark.integration
@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_nginx_takes_what_we_write(tmp_path: Path, example: str) -> None:
    path, again = tmp_path / "nginx.conf", tmp_path / "again.conf"
    # it looks names up and binds sockets, which needs addresses that are here
    text = EXAMPLES[example].replace("auth_http a:1", "auth_http 127.0.0.1:1")
    text = text.replace("[fe80::1]", "[::1]")
    path.write_text(text, encoding="utf-8")
    require.program(_MODULE)
    head = f"load_module {_MODULE};\n"
    # where it may write without being asked
    mine = dump(loaded_from(path)).replace("/logs/", f"{tmp_path}/")
    again.write_text(head + mine, encoding="utf-8")
    command = [require.program("nginx"), "-t", "-p", str(tmp_path), "-e", "stderr", "-c", again]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0, done.stderr
