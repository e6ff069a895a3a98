"""TLS: our verdicts beside those of Debian's nginx, the same first error in the same line.

What needs OpenSSL is found by the daemon's check; nginx names no line there.
"""

import re
import subprocess
from pathlib import Path

import pytest

from proxycore.daemon import standalone
from proxycore.nginxconf import dump, load
from tests.support import require
from tests.support.pki import self_signed
from tests.unit.proxycore.nginxconf.test_against_nginx import MODULE, nginx_says, write

pytestmark = pytest.mark.integration


def server(lines: str, mail: str = "") -> str:
    return f"mail {{ auth_http 127.0.0.1;{mail}\nserver {{\nprotocol imap;\n{lines}\n}} }}"


_INCOMPLETE = [
    server("listen 143 ssl;\nlisten 144 ssl;"),
    server("starttls only;\nlisten 143 ssl;\nlisten 144;"),
    server("listen 143 ssl;\nstarttls on;"),
    server("starttls on;\nlisten 143;"),
    server("listen 143;", "starttls on;"),
    server("ssl on;\nlisten 143;"),
    server("listen 143;", "\nssl on;"),
    server("listen 143;\nstarttls on;", "\nssl on;"),
    server("listen 143;\nstarttls on;\nssl on;"),
    server("listen 143;\nssl on;\nstarttls only;"),
    server("listen 143;\nssl off;\nstarttls on;"),
    server("listen 143;\nstarttls off;\nssl on;"),
    server("listen 143 ssl; ssl_certificate x;"),
    server("listen 143 ssl; ssl_certificate_key x;"),
    server("listen 143 ssl;\nssl_certificate x; ssl_certificate /y; ssl_certificate_key x;"),
    server("listen 143 ssl;", "ssl_certificate x;"),
    server("listen 143;\nssl_session_cache shared:a:2m;", "ssl_session_cache shared:a:1m;"),
    server("listen 143;\nssl_session_timeout 5ms;"),
    server("listen 143;\nssl_session_timeout x;"),
    server("listen 143;\nssl_session_cache builtin:x;"),
    server("listen 143;\nssl_session_cache shared:a:1g;"),
    server("listen 143;\nssl_session_cache shared:a:31k;"),
    server("listen 143;\nssl_session_cache builtin:1 shared:a:1m off;"),
    server("listen 143;\nssl_verify_depth 5; ssl_verify_depth 6;"),
    server("listen 143;\nssl_ciphers a; ssl_ciphers b;"),
    server("listen 143;\nssl_ciphers a b;"),
    server("listen 143;\nssl_conf_command a b c;"),
    server("listen 143;\nssl_password_file a b;"),
    server("listen 143;\nauth_http_pass_client_cert yes;"),
    # nginx, too, looks for certificates before auth_http, and for protocols before both
    "mail {\nserver { protocol imap;\nlisten 143 ssl; } }",
    "mail { auth_http 127.0.0.1;\nserver { listen 143 ssl; }\nserver { protocol wat; } }",
]


@pytest.mark.parametrize("text", _INCOMPLETE)
def test_the_first_error_is_nginx_s(tmp_path: Path, text: str) -> None:
    config = tmp_path / "nginx.conf"
    write(config, text)
    ours, theirs = load(str(config)), nginx_says(config)
    assert f"{ours.problems[0].message} in {config}:{ours.problems[0].line}" == theirs


_PAIR = "ssl_certificate one.crt; ssl_certificate_key one.key;"
_MATERIAL = {
    "ssl_certificate none; ssl_certificate_key one.key;": 'cannot load certificate "{dir}/none":',
    "ssl_certificate bad; ssl_certificate_key one.key;": (
        'cannot load certificate "{dir}/bad": PEM_read_bio_X509_AUX() failed (SSL: error:'
    ),
    "ssl_certificate one.crt; ssl_certificate_key none;": (
        'cannot load certificate key "{dir}/none":'
    ),
    "ssl_certificate one.crt; ssl_certificate_key bad;": (
        'cannot load certificate key "{dir}/bad": PEM_read_bio_PrivateKey() failed (SSL: error:'
    ),
    "ssl_certificate one.crt; ssl_certificate_key other.key;": (
        'SSL_CTX_use_PrivateKey("{dir}/other.key") failed (SSL: error:'
    ),
    "ssl_certificate one.crt; ssl_certificate_key sealed.key; ssl_password_file wrong.pw;": (
        'cannot load certificate key "{dir}/sealed.key": PEM_read_bio_PrivateKey() failed (SSL: '
    ),
    f"{_PAIR} ssl_ciphers BOGUS;": 'SSL_CTX_set_cipher_list("BOGUS") failed (SSL: error:',
    f"{_PAIR} ssl_ecdh_curve bogus;": 'SSL_CTX_set1_curves_list("bogus") failed (SSL: error:',
    f"{_PAIR} ssl_dhparam none;": 'BIO_new_file("{dir}/none") failed (',
    f"{_PAIR} ssl_dhparam bad;": 'PEM_read_bio_DHparams("{dir}/bad") failed (SSL: error:',
    f"{_PAIR} ssl_session_ticket_key bad;": '"{dir}/bad" must be 48 or 80 bytes',
    f"{_PAIR} ssl_session_ticket_key none;": (
        'open() "{dir}/none" failed (2: No such file or directory)'
    ),
    f"{_PAIR} ssl_password_file none;": 'open() "{dir}/none" failed (2: No such file or directory)',
    f"{_PAIR} ssl_password_file long.pw;": 'too long line in "{dir}/long.pw"',
    f"{_PAIR} ssl_verify_client on;": "no ssl_client_certificate",
    f"{_PAIR} ssl_verify_client optional;": "no ssl_client_certificate",
    f"{_PAIR} ssl_verify_client on; ssl_client_certificate none;": (
        'SSL_CTX_load_verify_locations("{dir}/none") failed ('
    ),
    f"{_PAIR} ssl_verify_client on; ssl_client_certificate bad;": (
        'SSL_CTX_load_verify_locations("{dir}/bad") failed'
    ),
    f"{_PAIR} ssl_verify_client on; ssl_client_certificate one.crt; ssl_crl none;": (
        'X509_LOOKUP_load_file("{dir}/none") failed ('
    ),
    f"{_PAIR} ssl_verify_client on; ssl_client_certificate one.crt; ssl_crl bad;": (
        'X509_LOOKUP_load_file("{dir}/bad") failed'
    ),
    f"{_PAIR} ssl_conf_command Bogus x;": 'SSL_CONF_cmd("Bogus", "x") failed (SSL: error:',
    f"{_PAIR} ssl_conf_command Protocol x;": 'SSL_CONF_cmd("Protocol", "x") failed (SSL: error:',
}

_FINE = [
    f"{_PAIR} ssl_certificate other.crt; ssl_certificate_key other.key;",
    "ssl_certificate one.crt; ssl_certificate_key sealed.key; ssl_password_file right.pw;",
    f"{_PAIR} ssl_ciphers ALL:!ADH:RC4+RSA:+HIGH:+MEDIUM:+LOW:+SSLv2:+EXP;",
    f"{_PAIR} ssl_protocols SSLv2 SSLv3 TLSv1;",
    f"{_PAIR} ssl_protocols SSLv3;",
    f"{_PAIR} ssl_verify_client optional_no_ca;",
    f"{_PAIR} ssl_verify_client on; ssl_client_certificate one.crt; ssl_verify_depth 0;",
    f"{_PAIR} ssl_session_cache builtin:1000 shared:SSL:10m; ssl_session_timeout 1y;",
    f"{_PAIR} ssl_session_cache off; ssl_session_tickets off; ssl_session_cache shared:a:1m;",
    f"{_PAIR} ssl_conf_command Options PrioritizeChaCha; ssl_prefer_server_ciphers on;",
    f"{_PAIR} ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256; ssl_ecdh_curve X25519:P-256;",
    f"{_PAIR} ssl_crl ''; ssl_dhparam ''; ssl_trusted_certificate ''; ssl_client_certificate '';",
]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    one = self_signed("one.example")
    one.write(tmp_path, "one")
    self_signed("other.example").write(tmp_path, "other")
    (tmp_path / "sealed.key").write_text(one.key_with(b"open sesame"))
    (tmp_path / "right.pw").write_text("no\nopen sesame\n")
    (tmp_path / "wrong.pw").write_text("no\n")
    (tmp_path / "long.pw").write_text("x" * 5000)
    (tmp_path / "bad").write_text("not of use\n")
    return tmp_path / "nginx.conf"


def first_error(path: Path) -> str:
    """Give nginx's first error without time and process; nothing when it takes the file."""
    command = [require.program("nginx"), "-t", "-p", str(path.parent), "-e", "stderr", "-c", path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    found = re.search(r"\[emerg\] \d+#\d+: (.*)", done.stderr)
    return found[1] if found else ""


@pytest.mark.parametrize("settings", _MATERIAL, ids=str)
def test_what_cannot_be_used_is_told_in_nginx_s_words(config: Path, settings: str) -> None:
    write(config, server(f"listen 127.0.0.1:41143 ssl;\n{settings}"))
    words = _MATERIAL[settings].replace("{dir}", str(config.parent))
    assert first_error(config).startswith(words)
    problem = standalone.check(str(config)).problems[0]
    assert problem.message.startswith(words)
    assert (problem.file, problem.line) == (str(config), 6)


@pytest.mark.parametrize("settings", _FINE, ids=str)
def test_what_nginx_takes_can_be_used(config: Path, settings: str) -> None:
    write(config, server(f"listen 127.0.0.1:41143 ssl;\n{settings}"))
    assert first_error(config) == ""
    assert standalone.check(str(config)).problems == []


_ABOUT_BACKS = "proxy_ssl starttls; proxy_ssl_name a.example; proxy_ssl_session_reuse off;"
_SHARED = (
    f"mail {{ auth_http 127.0.0.1; {_PAIR}\nserver {{ protocol imap; listen 127.0.0.1:41143 ssl; }}"
    "server { protocol imap; listen 127.0.0.1:41143 ssl; server_name b.example; timeout 5; } }"
)


@pytest.mark.parametrize(
    "text",
    [
        *(server(f"listen 127.0.0.1:41143 ssl;\n{settings}") for settings in _FINE),
        server(f"listen 127.0.0.1:41143;\nstarttls only; {_PAIR} {_ABOUT_BACKS}"),
        server(f"listen 127.0.0.1:41143;\nstarttls on; {_PAIR} ssl_certificate_compression on;"),
        server(f"listen 127.0.0.1:41143;\nssl on; {_PAIR} auth_http_pass_client_cert on;"),
        _SHARED,
    ],
)
def test_nginx_takes_what_we_write_and_so_do_we(config: Path, text: str) -> None:
    config.write_text(text, encoding="utf-8")
    snapshot = load(str(config)).snapshot
    assert snapshot is not None
    config.write_text(f"load_module {MODULE};\npid {config.parent}/pid;\n{dump(snapshot)}")
    assert first_error(config) == ""
    again = load(str(config))
    assert (again.problems, again.notices) == ([], [])
    assert again.snapshot is not None
    assert again.snapshot.servers == snapshot.servers
