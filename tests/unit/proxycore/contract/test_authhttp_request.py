"""The auth request: nginx's wire order and escaping, and no octet that could break out of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxycore.contract.authhttp import (
    AuthRequest,
    TlsFacts,
    escape,
    read_request,
    render_request_headers,
    unescape,
)
from proxycore.contract.protocol import Protocol


def request(**known: object) -> AuthRequest:
    return AuthRequest(
        **{  # type: ignore[arg-type]
            "protocol": Protocol.IMAP,
            "method": "plain",
            "login": b"user",
            "password": b"password",
            "attempt": 1,
            "client_ip": "192.0.2.1",
            **known,
        }
    )


def parse_headers(wire: bytes) -> dict[str, bytes]:
    assert wire.endswith(b"\r\n")
    lines = [line.partition(b": ") for line in wire[:-2].split(b"\r\n")]
    return {name.decode().lower(): value for name, _, value in lines}


# --- escaping -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "escaped"),
    [
        (b"", b""),
        (b"user", b"user"),
        (b"us er%", b"us%20er%25"),
        (b"p\r\nw\xe9", b"p%0D%0Aw\xe9"),
        (b"\x00\x1f", b"%00%1F"),
        (b"\x7f\x80\xff\"'", b"\x7f\x80\xff\"'"),
    ],
)
def test_what_nginx_escapes_is_escaped_and_nothing_else(raw: bytes, escaped: bytes) -> None:
    assert escape(raw) == escaped
    assert unescape(escaped) == raw


@pytest.mark.parametrize("value", [b"%", b"%4", b"%zz", b"100%"])
def test_a_percent_without_two_hex_digits_stays(value: bytes) -> None:
    assert unescape(value) == value


def test_lower_case_hex_is_understood() -> None:
    assert unescape(b"%2f%e9") == b"/\xe9"


@given(st.binary())
def test_escaping_loses_nothing_and_leaves_nothing_that_ends_a_line(value: bytes) -> None:
    escaped = escape(value)
    assert unescape(escaped) == value
    assert not any(octet <= 0x20 for octet in escaped)


# --- wire ---------------------------------------------------------------------------------------


def test_headers_stand_in_nginx_s_order() -> None:
    wire = render_request_headers(
        request(protocol=Protocol.SMTP, attempt=2, client_host="[UNAVAILABLE]", login=b"a b")
    )
    assert wire == (
        b"Auth-Method: plain\r\n"
        b"Auth-User: a%20b\r\n"
        b"Auth-Pass: password\r\n"
        b"Auth-Protocol: smtp\r\n"
        b"Auth-Login-Attempt: 2\r\n"
        b"Client-IP: 192.0.2.1\r\n"
        b"Client-Host: [UNAVAILABLE]\r\n"
    )


def test_without_a_client_host_there_is_no_such_header() -> None:
    assert b"Client-Host" not in render_request_headers(request())


def test_tls_is_told_in_nginx_s_order_and_spelling() -> None:
    tls = TlsFacts(
        protocol="TLSv1.3",
        cipher="TLS_AES_256_GCM_SHA384",
        verify="SUCCESS",
        subject="CN=client a,O=Acme\\, Inc,C=US",
        issuer="CN=authority",
        serial="0DB2",
        fingerprint="c37b",
        certificate="-----BEGIN CERTIFICATE-----\nMII=\n-----END CERTIFICATE-----\n",
    )
    wire = render_request_headers(request(tls=tls, method="none", client_port=7))
    assert wire.partition(b"Auth-SMTP-To: \r\n")[2] == (
        b"Auth-SSL: on\r\n"
        b"Auth-SSL-Protocol: TLSv1.3\r\n"
        b"Auth-SSL-Cipher: TLS_AES_256_GCM_SHA384\r\n"
        b"Auth-SSL-Verify: SUCCESS\r\n"
        b"Auth-SSL-Subject: CN=client a,O=Acme\\, Inc,C=US\r\n"
        b"Auth-SSL-Issuer: CN=authority\r\n"
        b"Auth-SSL-Serial: 0DB2\r\n"
        b"Auth-SSL-Fingerprint: c37b\r\n"
        b"Auth-SSL-Cert: -----BEGIN%20CERTIFICATE-----%0AMII=%0A-----END%20CERTIFICATE-----%0A\r\n"
        b"Client-Port: 7\r\n"
    )


def test_without_a_certificate_only_that_is_told() -> None:
    wire = render_request_headers(request(tls=TlsFacts(protocol="p", cipher="c", verify="NONE")))
    assert wire.endswith(
        b"\r\nAuth-SSL-Protocol: p\r\nAuth-SSL-Cipher: c\r\nAuth-SSL-Verify: NONE\r\n"
    )
    wire = render_request_headers(request(tls=TlsFacts(protocol="p", cipher="c")))
    assert wire.endswith(b"\r\nAuth-SSL-Protocol: p\r\nAuth-SSL-Cipher: c\r\n")
    assert b"Auth-SSL" not in render_request_headers(request())


@given(st.lists(st.text(alphabet=st.characters(exclude_categories=["Cs"])), min_size=8, max_size=8))
def test_no_fact_of_a_certificate_makes_another_line(texts: list[str]) -> None:
    names = ("protocol", "cipher", "verify", "subject", "issuer", "serial", "fingerprint")
    told = dict(zip((*names, "certificate"), texts, strict=True))
    tls = TlsFacts(**{**told, "protocol": "p", "cipher": "c"})
    wire = render_request_headers(request(tls=tls))
    lines = wire.split(b"\r\n")
    assert all(line.partition(b":")[0].replace(b"-", b"").isalnum() for line in lines[:-1])
    assert not any(octet in line for line in lines for octet in b"\r\n\0")


def test_empty_credentials_are_sent_as_empty_headers() -> None:
    wire = render_request_headers(request(login=b"", password=b""))
    assert b"Auth-User: \r\nAuth-Pass: \r\n" in wire


@given(
    login=st.binary(),
    password=st.binary(),
    client_host=st.text(alphabet=st.characters(exclude_categories=["Cs"])),
    client_ip=st.text(alphabet="0123456789abcdef:.unix \r\n", max_size=20),
)
def test_no_value_makes_another_line(
    login: bytes, password: bytes, client_host: str, client_ip: str
) -> None:
    wire = render_request_headers(
        request(login=login, password=password, client_host=client_host, client_ip=client_ip)
    )
    lines = wire.split(b"\r\n")
    assert len(lines) == 7 + bool(client_host)
    assert not any(octet in line for line in lines for octet in b"\r\n\0")


@given(
    st.sampled_from(Protocol),
    st.binary(),
    st.binary(),
    st.integers(1, 10**9 - 1),
    st.ip_addresses(),
    st.none()
    | st.builds(
        TlsFacts,
        **{
            name: st.text("aé =,\\", max_size=9).map("x".__add__)
            for name in (
                "protocol",
                "cipher",
                "verify",
                "subject",
                "issuer",
                "serial",
                "fingerprint",
            )
        },
        certificate=st.text("A-\n %", max_size=9),
    ),
)
def test_a_request_reads_back_as_it_was(
    protocol: Protocol,
    login: bytes,
    password: bytes,
    attempt: int,
    address: object,
    tls: TlsFacts | None,
) -> None:
    sent = request(
        protocol=protocol,
        login=login,
        password=password,
        attempt=attempt,
        client_ip=str(address),
        client_host="mail.example.com",
        tls=tls,
    )
    assert read_request(parse_headers(render_request_headers(sent))) == sent


def test_a_password_is_not_in_the_repr() -> None:
    assert "password" not in repr(request(password=b"hunter2"))
    assert "hunter2" not in repr(request(password=b"hunter2"))


# --- what is no request -------------------------------------------------------------------------

_GOOD = {"auth-user": b"u", "auth-pass": b"p", "auth-protocol": b"imap"}


def test_what_nginx_leaves_out_has_a_default() -> None:
    assert read_request(_GOOD) == request(login=b"u", password=b"p", client_ip="")


def test_protocol_and_method_are_read_in_any_case() -> None:
    found = read_request({**_GOOD, "auth-protocol": b"POP3", "auth-method": b"PLAIN"})
    assert (found.protocol, found.method) == (Protocol.POP3, "plain")


@pytest.mark.parametrize("missing", ["auth-user", "auth-pass", "auth-protocol"])
def test_a_missing_header_is_named(missing: str) -> None:
    headers = {name: value for name, value in _GOOD.items() if name != missing}
    with pytest.raises(ValueError, match=f"{missing} is missing"):
        read_request(headers)


@pytest.mark.parametrize("protocol", [b"", b"http", b"\xff", b"imap "])
def test_an_unknown_protocol_is_refused(protocol: bytes) -> None:
    with pytest.raises(ValueError, match="auth-protocol is not imap, pop3 or smtp"):
        read_request({**_GOOD, "auth-protocol": protocol})


@pytest.mark.parametrize("attempt", [b"", b"-1", b"1.0", b"x", b"1" * 10, "²".encode()])
def test_an_attempt_that_is_no_number_is_refused(attempt: bytes) -> None:
    with pytest.raises(ValueError, match="auth-login-attempt is not a number"):
        read_request({**_GOOD, "auth-login-attempt": attempt})


@given(
    st.dictionaries(
        st.sampled_from(
            [*_GOOD, "auth-method", "auth-login-attempt", "client-ip", "client-host", "other"]
        ),
        st.binary(max_size=12),
    )
)
def test_any_headers_are_a_request_or_a_value_error(headers: dict[str, bytes]) -> None:
    try:
        read_request(headers)
    except ValueError as error:
        assert str(error).startswith("auth-")  # noqa: PT017  (a request is as good an outcome)
