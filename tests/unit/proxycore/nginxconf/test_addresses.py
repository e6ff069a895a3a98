"""The forms of ``listen`` and ``auth_http`` (directives.md §3, §5)."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxycore.nginxconf.addresses import Address, Url, parse_auth_http, parse_listen
from proxycore.nginxconf.problems import Refused


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8000", Address("127.0.0.1", 8000, 8000)),
        ("127.0.0.1", Address("127.0.0.1")),
        ("8000", Address("*", 8000, 8000)),
        ("*:8000", Address("*", 8000, 8000)),
        ("0.0.0.0:8000", Address("*", 8000, 8000)),
        ("localhost:8000", Address("localhost", 8000, 8000)),
        ("[::]:8000", Address("::", 8000, 8000)),
        ("[fe80::1]", Address("fe80::1")),
        ("[0:0::1]:143", Address("::1", 143, 143)),
        ("unix:/run/imap.sock", Address("unix:/run/imap.sock")),
        ("127.0.0.1:5000-5002", Address("127.0.0.1", 5000, 5002)),
        ("5000-5002", Address("*", 5000, 5002)),
        ("5000-5000", Address("*", 5000, 5000)),
    ],
)
def test_every_form_of_listen_is_read(text: str, address: Address) -> None:
    assert parse_listen(text) == address


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("0", "invalid port"),
        ("65536", "invalid port"),
        ("127.0.0.1:", "invalid port"),
        ("127.0.0.1:x", "invalid port"),
        ("127.0.0.1:5-3", "invalid port range"),
        ("5-3", "invalid port range"),
        ("127.0.0.1:80/x", "invalid host"),
        ("a?b", "invalid host"),
        ("[::1", "invalid host"),
        ("[::1]x", "invalid host"),
        ("[::1]:80/x", "invalid host"),
        ("[]", "no host"),
        ("", "no host"),
        (":80", "no host"),
        ("[::g]", "invalid IPv6 address"),
        ("[fe80::1%lo]", "invalid IPv6 address"),
        ("unix:", "no path in the unix domain socket"),
        ("unix:/" + "x" * 107, "too long path in the unix domain socket"),
        ("not a host:80", "host not found"),
    ],
)
def test_a_bad_listen_is_refused_in_nginx_s_words(text: str, reason: str) -> None:
    with pytest.raises(Refused) as refused:
        parse_listen(text)
    assert str(refused.value) == reason


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("localhost:9000/cgi-bin/nginxauth.cgi", Url("localhost", 9000, "/cgi-bin/nginxauth.cgi")),
        ("192.168.1.44:80/mail/auth.php", Url("192.168.1.44", 80, "/mail/auth.php")),
        ("auth.example.com", Url("auth.example.com", 80, "/")),
        ("host/a:b", Url("host", 80, "/a:b")),
        ("host:81?x=/y", Url("host", 81, "/?x=/y")),
        ("[::1]:9000/auth", Url("::1", 9000, "/auth")),
        ("[::1]", Url("::1", 80, "/")),
        ("unix:/run/auth.sock", Url("unix:/run/auth.sock", 0, "/")),
        ("unix:/run/auth.sock:/a", Url("unix:/run/auth.sock", 0, "/a")),
    ],
)
def test_every_form_of_auth_http_is_read(text: str, url: Url) -> None:
    assert parse_auth_http(text) == url


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("https://x:0/", "invalid port"),
        ("", "no host"),
        ("/auth", "no host"),
        ("*", "host not found"),
        ("x:0", "invalid port"),
        ("[::1]9000", "invalid host"),
        ("unix:", "no path in the unix domain socket"),
    ],
)
def test_a_bad_auth_http_is_refused_in_nginx_s_words(text: str, reason: str) -> None:
    with pytest.raises(Refused) as refused:
        parse_auth_http(text)
    assert str(refused.value) == reason


@given(st.text(alphabet="[]:*/?-%.0123456789abxunix é\x00\n", max_size=20))
def test_any_text_is_an_address_or_refused(text: str) -> None:
    for read in (parse_listen, parse_auth_http):
        with contextlib.suppress(Refused):
            read(text)
