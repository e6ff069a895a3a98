"""What is refused though nginx takes it: not built yet, or not safe. Always by name."""

import pytest

from tests.unit.proxycore.nginxconf.conftest import LoadText, mail, said


@pytest.mark.parametrize(
    ("server", "message"),
    [
        (
            "ssl_certificate_key engine:a:b;",
            'cannot load certificate key "engine:a:b": "engine:" is not supported',
        ),
        ("pop3_auth login;", 'invalid value "login"'),
        ("imap_auth none;", 'invalid value "none"'),
        ("# postroad: imap_auth_tokens plain;\n", 'invalid value "plain"'),
        ('imap_greeting "* OK ";', '"imap_greeting" directive invalid value'),
        (r'pop3_greeting "a\nb";', '"pop3_greeting" directive invalid value'),
        (r"imap_id name \";", 'invalid value """'),
        ("max_commands 0;", '"max_commands" directive invalid value, it must be at least 1'),
        ("listen 1 wat;", 'invalid parameter "wat"'),
        ("listen 1 rcvbuf=x;", 'invalid rcvbuf "rcvbuf=x"'),
        ("listen [::]:1 ipv6only=of;", 'invalid ipv6only flags "of"'),
        ("listen [::]:1 ipv6only=maybe;", 'invalid parameter "ipv6only=maybe"'),
        ("empty imap_auth timeout;", 'invalid value "timeout"'),
        ("proxy_buffer 256;", '"proxy_buffer" directive invalid value, it must be at least 512'),
        ("imap_client_buffer 32m;", '"imap_client_buffer" directive invalid value, it must be at '),
        ("auth_http_header 'a b' c;", '"auth_http_header" directive invalid header name'),
        (r'auth_http_header a "b\nc";', '"auth_http_header" directive invalid header value'),
        ("server_name 'a b';", '"server_name" directive invalid value "a b"'),
        (
            "imap_capabilities \udcff;",
            '"imap_capabilities" directive has a value that is not UTF-8',
        ),
        ("# postroad: timeout 5;\n", '"timeout" directive is not one for a "# postroad:" comment'),
        (r'imap_capabilities "A\nB";', "servers[0].imap_capabilities[0]: has a form that is not "),
    ],
)
def test_what_is_not_safe_is_refused_by_name(
    load_text: LoadText, server: str, message: str
) -> None:
    loaded = load_text(mail(server))
    assert loaded.snapshot is None
    (found,) = said(loaded)
    assert found.startswith(f"2: {message}")


def test_known_directives_of_other_modules_are_told_from_unknown_ones(load_text: LoadText) -> None:
    loaded = load_text("env X; events { debug_connection 1; } mail { root /; } wat;")
    assert said(loaded) == [
        '1: "env" directive is not supported yet',
        '1: "debug_connection" directive is not supported yet',
        '1: "root" directive is not allowed here',
        '1: unknown directive "wat"',
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("events { worker_connections x; }", 'invalid number "x"'),
        (
            "events { worker_connections 0; }",
            '"worker_connections" directive invalid value, it must',
        ),
        ("error_log '';", '"error_log" directive invalid value'),
        ("user '';", 'getpwnam("") failed'),
        (r'user "a\nb";', "process.user: has a form that is not allowed"),
        ("include x { }", 'directive "include" is not terminated by ";"'),
        (
            "worker_processes 1000;",
            '"worker_processes" directive invalid value, it must be at most',
        ),
        ("# postroad: group a; group b;", '"group" directive is duplicate'),
    ],
)
def test_a_bad_process_setting_is_refused(load_text: LoadText, text: str, message: str) -> None:
    (found,) = said(load_text(text))
    assert found.startswith(f"1: {message}")
