"""What auth_http says beyond nginx: headers of ours, and methods other than plain."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxycore.contract.authhttp import (
    AuthFailed,
    AuthFault,
    AuthOk,
    ProxyFacts,
    is_host_name,
    read_reply_headers,
    read_request,
    render_reply_headers,
    render_request_headers,
)
from proxycore.contract.protocol import Protocol
from proxycore.contract.reasons import CloseReason
from tests.unit.proxycore.contract.test_authhttp_request import parse_headers, request

WHERE = (b"Auth-Server: 192.0.2.9", b"Auth-Port: 143")
PROXY = ProxyFacts(client_ip="999.0.2.7", client_port=1234, server_ip="192.0.2.2", server_port=25)


# --- request ------------------------------------------------------------------------------------


def test_all_headers_stand_in_nginx_s_order_and_ours_behind() -> None:
    wire = render_request_headers(
        request(
            protocol=Protocol.SMTP,
            method="none",
            login=b"",
            password=b"",
            client_host="[UNAVAILABLE]",
            proxy=PROXY,
            smtp_helo=b"cl",
            smtp_from=b"MAIL FROM:<a@b> SIZE=100",
            smtp_to=b"RCPT TO:<c d>",
            client_port=50_000,
            server_port=25,
        )
    )
    assert wire == (
        b"Auth-Method: none\r\n"
        b"Auth-User: \r\n"
        b"Auth-Pass: \r\n"
        b"Auth-Protocol: smtp\r\n"
        b"Auth-Login-Attempt: 1\r\n"
        b"Client-IP: 192.0.2.1\r\n"
        b"Client-Host: [UNAVAILABLE]\r\n"
        b"Proxy-Protocol-Addr: 999.0.2.7\r\n"
        b"Proxy-Protocol-Port: 1234\r\n"
        b"Proxy-Protocol-Server-Addr: 192.0.2.2\r\n"
        b"Proxy-Protocol-Server-Port: 25\r\n"
        b"Auth-SMTP-Helo: cl\r\n"
        b"Auth-SMTP-From: MAIL FROM:<a@b> SIZE=100\r\n"
        b"Auth-SMTP-To: RCPT TO:<c d>\r\n"
        b"Client-Port: 50000\r\n"
        b"Auth-Port: 25\r\n"
    )


def test_a_salt_stands_behind_the_password_unescaped() -> None:
    wire = render_request_headers(request(method="apop", salt=b"<1.2@mx>", password=b"00"))
    assert b"Auth-Pass: 00\r\nAuth-Salt: <1.2@mx>\r\nAuth-Protocol: imap\r\n" in wire


@given(st.binary(max_size=30), st.binary(max_size=30), st.binary(max_size=30), st.binary())
def test_no_value_of_the_envelope_makes_another_line(
    helo: bytes, mail: bytes, rcpt: bytes, salt: bytes
) -> None:
    wire = render_request_headers(
        request(method="none", smtp_helo=helo, smtp_from=mail, smtp_to=rcpt, salt=salt)
    )
    lines = wire.split(b"\r\n")
    assert len(lines) == 10 + bool(salt)
    assert not any(octet in line for line in lines for octet in b"\r\n\0")


@pytest.mark.parametrize("proxy", [None, PROXY])
def test_a_request_of_any_method_reads_back_as_it_was(proxy: ProxyFacts | None) -> None:
    sent = request(
        protocol=Protocol.SMTP,
        method="none",
        client_port=1,
        server_port=2,
        salt=b"<1.2@mx>",
        proxy=proxy,
        smtp_helo=b"cl",
        smtp_from=b"MAIL FROM:<a@b>",
        smtp_to=b"RCPT TO:<c@d>",
    )
    assert read_request(parse_headers(render_request_headers(sent))) == sent


@pytest.mark.parametrize("name", ["client-port", "auth-port", "proxy-protocol-port"])
def test_a_port_that_is_no_number_is_refused(name: str) -> None:
    headers = {
        "auth-user": b"u",
        "auth-pass": b"p",
        "auth-protocol": b"imap",
        "proxy-protocol-addr": b"::1",
    }
    with pytest.raises(ValueError, match=f"{name} is not a number"):
        read_request({**headers, name: b"x"})


# --- reply --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "field", "value"),
    [
        (b"Auth-Proxy-SSL: off", "proxy_ssl", "off"),
        (b"Auth-Proxy-SSL: on", "proxy_ssl", "on"),
        (b"auth-proxy-ssl: starttls", "proxy_ssl", "starttls"),
        (b"Auth-Proxy-SSL-Name: mx.example.com", "proxy_ssl_name", "mx.example.com"),
        (b"Auth-Proxy-SSL-Name: ::1", "proxy_ssl_name", "::1"),
        (b"Auth-Proxy-SSL-Name:", "proxy_ssl_name", ""),
        (b"Auth-Proxy-Auth: on", "proxy_auth", True),
        (b"Auth-Proxy-Auth: off", "proxy_auth", False),
        (b"Auth-Cache-TTL: 30", "cache_ttl_s", 30),
        (b"Auth-Cache-TTL: soon", "cache_ttl_s", None),
        (b"Auth-Cache-TTL: 9999999999", "cache_ttl_s", None),
        (b"Auth-Session: a-1", "session", "a-1"),
        (b"Auth-Session: a b", "session", ""),
        (b"Auth-Session: " + b"x" * 129, "session", ""),
        (b"Auth-Proxy-Master:", "master", b""),
    ],
)
def test_our_headers_are_read(line: bytes, field: str, value: object) -> None:
    verdict = read_reply_headers([*WHERE, line])
    assert isinstance(verdict, AuthOk)
    assert getattr(verdict, field) == value


@pytest.mark.parametrize(
    ("lines", "detail"),
    [
        ([b"Auth-Proxy-SSL: yes"], 'sent invalid Auth-Proxy-SSL:"yes"'),
        ([b"Auth-Proxy-SSL: ON"], 'sent invalid Auth-Proxy-SSL:"ON"'),
        ([b"Auth-Proxy-SSL-Name: a b"], 'sent invalid Auth-Proxy-SSL-Name:"a b"'),
        ([b"Auth-Proxy-Auth: 1"], 'sent invalid Auth-Proxy-Auth:"1"'),
        (
            [b"Auth-Pass: x", b"Auth-Proxy-Master: a\0b"],
            'sent invalid Auth-Proxy-Master:"a?b"',
        ),
        ([b"Auth-Proxy-Master: root"], "sent Auth-Proxy-Master without Auth-Pass"),
    ],
)
def test_what_decides_about_secrets_is_never_guessed(lines: list[bytes], detail: str) -> None:
    assert read_reply_headers([*WHERE, *lines]) == AuthFault(CloseReason.AUTH_INVALID, detail)


@pytest.mark.parametrize(
    ("value", "read"),
    [(b"eyJ9", b"eyJ9"), (b"eyI=", b"eyI="), (b"e", b""), (b"e\x01", b""), (b"A" * 8192, b"")],
)
def test_an_explanation_for_a_token_client_is_base64_or_nothing(value: bytes, read: bytes) -> None:
    verdict = read_reply_headers([b"Auth-Status: no", b"Auth-Error-SASL: " + value])
    assert verdict == AuthFailed(text=b"no", error_sasl=read)


@pytest.mark.parametrize(
    ("server", "read"),
    [
        (b"mail-1.example.com", "mail-1.example.com"),
        (b"mail.example.com.", "mail.example.com."),
        (b"[2001:db8::1]", "2001:db8::1"),
        (b"_mail.example", "_mail.example"),
    ],
)
def test_a_mail_server_may_have_a_name(server: bytes, read: str) -> None:
    assert read_reply_headers([b"Auth-Server: " + server, b"Auth-Port: 1"]) == AuthOk(
        server=read, port=1
    )


@pytest.mark.parametrize(
    "server",
    [
        *[
            b"256.0.0.1",
            b"127.1",
            b"1.2.3.4.5",
            b"0x7f.1",
            b"0x7f000001",
            b"a..b",
            b"-a.b",
            b"a-.b",
        ],
        *[b"a b", b"a\xe9", b"a/b", b"a:b", b"[1.2.3.4]", b"[::1", b"[]", b"unix:", b"unix:x"],
        *[b"unix:/a\x01", b"unix:/" + b"x" * 107, b"x" * 64, b"x." * 127, b"fe80::1%lo"],
    ],
)
def test_what_is_no_place_of_a_mail_server_is_refused(server: bytes) -> None:
    verdict = read_reply_headers([b"Auth-Server: " + server, b"Auth-Port: 1"])
    assert isinstance(verdict, AuthFault)
    assert verdict.detail.startswith("sent invalid server address:")


def test_a_unix_socket_needs_no_port() -> None:
    assert read_reply_headers([b"Auth-Server: unix:/run/lmtp"]) == AuthOk(
        server="unix:/run/lmtp", port=0
    )


@given(st.binary(max_size=20))
def test_what_is_a_host_name_is_text_without_anything_special(text: bytes) -> None:
    if is_host_name(text):
        assert all(octet == 0x5F or bytes([octet]).isalnum() or octet in b".-" for octet in text)


@given(
    master=st.sampled_from([b"", b"ma ster"]),
    proxy_ssl=st.sampled_from([None, "off", "on", "starttls"]),
    proxy_ssl_name=st.sampled_from(["", "mx.example.com"]),
    proxy_auth=st.sampled_from([None, True, False]),
    cache_ttl_s=st.none() | st.integers(0, 999_999_999),
    session=st.sampled_from(["", "s-1"]),
)
def test_a_verdict_with_all_of_ours_reads_back_as_it_was(**ours: object) -> None:
    verdict = AuthOk(server="mail.example.com", port=1, password=b"x", **ours)  # type: ignore[arg-type]
    lines = [b"%b: %b" % (name.encode(), value) for name, value in render_reply_headers(verdict)]
    assert read_reply_headers(lines) == verdict


def test_a_refusal_with_all_of_ours_reads_back_as_it_was() -> None:
    verdict = AuthFailed(text=b"no", error_sasl=b"eyJ9", session="s-1")
    lines = [b"%b: %b" % (name.encode(), value) for name, value in render_reply_headers(verdict)]
    assert read_reply_headers(lines) == verdict
