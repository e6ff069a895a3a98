"""The auth reply: nginx's table of what a client gets (auth-http.md §8.3), and both directions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxycore.contract.authhttp import (
    DEFAULT_FAILURE,
    AuthFailed,
    AuthFault,
    AuthOk,
    AuthWait,
    Verdict,
    clean_text,
    is_ip_address,
    read_reply_headers,
    render_reply_headers,
)
from proxycore.contract.reasons import CloseReason

OK = AuthOk(server="127.0.0.1", port=110)


def read(*lines: str | bytes) -> Verdict:
    return read_reply_headers(
        [line if isinstance(line, bytes) else line.encode("latin-1") for line in lines]
    )


def fault(detail: str) -> AuthFault:
    return AuthFault(CloseReason.AUTH_INVALID, detail)


WHERE = ("Auth-Server: 127.0.0.1", "Auth-Port: 110")
_INVALID_HEADER = fault("sent invalid header in response")
_NO_SERVER = fault("did not send server or port")


@pytest.mark.parametrize(
    ("lines", "verdict"),
    [
        # the observed table, in its order
        (("Auth-Status: OK", *WHERE), OK),
        (WHERE, OK),
        (("auth-status: OK", "AUTH-SERVER:127.0.0.1", "auth-port:   110   "), OK),
        (("Auth-Status: ok", *WHERE), AuthFailed(text=b"ok")),
        (("Auth-Status: No", "Auth-Status: OK", *WHERE), AuthFailed(text=b"No")),
        (("Auth-Status:   Invalid   login   ",), AuthFailed(text=b"Invalid   login")),
        (("Auth-Status:\tOK",), AuthFailed(text=b"\tOK")),
        (("Auth-Status: no", "Auth-Wait: soon"), AuthFailed(text=b"no")),
        (("Auth-Status: OK", "Auth-Server: 127.0.0.1"), _NO_SERVER),
        (("Auth-Status: OK", "Auth-Port: 110"), _NO_SERVER),
        (("Auth-Server: 127.0.0.1", "Auth-Port: 0"), fault('sent invalid server port:"0"')),
        (("Auth-Server: 127.0.0.1", "Auth-Port: 11x"), fault('sent invalid server port:"11x"')),
        (("Auth-Server: 127.0.0.1", "Auth-Port: 65536"), fault('sent invalid server port:"65536"')),
        # nginx takes neither of these three
        (("Auth-Server: localhost", "Auth-Port: 1"), AuthOk(server="localhost", port=1)),
        (("Auth-Server: [::1]", "Auth-Port: 1"), AuthOk(server="::1", port=1)),
        (("Auth-Server: unix:/x", "Auth-Port: 1"), AuthOk(server="unix:/x", port=0)),
        (("Auth_Status: OK", *WHERE), _INVALID_HEADER),
        (("Auth-Status: OK", " folded", *WHERE), _INVALID_HEADER),
        (("foo : x", *WHERE), _INVALID_HEADER),
        (("foo", "Auth-Status: OK", *WHERE), OK),
        (("Auth-Status: OK", "Auth-Wait: 5", *WHERE), OK),
        (
            ("Auth-User: new user", "Auth-Pass: new%20pass", *WHERE),
            AuthOk(server="127.0.0.1", port=110, login=b"new user", password=b"new%20pass"),
        ),
        (
            ("Auth-User:", "Auth-Pass:", *WHERE),
            AuthOk(server="127.0.0.1", port=110, login=b"", password=b""),
        ),
        (("Auth-Status: WAIT", "Auth-Wait: 1"), AuthWait(wait_s=1)),
        # beyond it
        ((), _NO_SERVER),
        (("Auth-Status: WAIT",), AuthWait(wait_s=0)),
        (("Auth-Status: WAIT", "Auth-User: n"), AuthWait(wait_s=0, login=b"n")),
        (("Auth-Status: wait",), AuthFailed(text=b"wait")),
        (("Auth-Status:",), AuthFailed(text=DEFAULT_FAILURE)),
        (
            ("Auth-Status: no", "Auth-Wait: 3", "Auth-User: n"),
            AuthFailed(text=b"no", wait_s=3, login=b"n"),
        ),
        (("Auth-Status: no", "Auth-Wait: 999999999"), AuthFailed(text=b"no", wait_s=86_400)),
        (("Auth-Status: no", "Auth-Wait: 9999999999"), AuthFailed(text=b"no")),
        (
            ("Auth-Status: no", "Auth-Error-Code: 454 4.7.0"),
            AuthFailed(text=b"no", error_code=b"454 4.7.0"),
        ),
        (("Auth-Status: no", "Auth-Error-Code: 421"), AuthFailed(text=b"no", error_code=b"421")),
        (("Auth-Status: no", "Auth-Error-Code: 250 x"), AuthFailed(text=b"no")),
        (("Auth-Server: ::1", "Auth-Port: 143"), AuthOk(server="::1", port=143)),
        (("Auth-Server: 010.0.0.1", "Auth-Port: 143"), AuthOk(server="10.0.0.1", port=143)),
        (("Auth-Port: 1", "Auth-Server: 127.0.0.1", "Auth-Port: 110"), OK),
        ((":x", *WHERE), _INVALID_HEADER),
        ((b"Auth-Pass: a\0b", *WHERE), fault("sent a login or password with a line break")),
        ((b"Auth-User: a\rb", *WHERE), fault("sent a login or password with a line break")),
        ((b"Auth-Status: no", b"Auth-User: a\rb"), AuthFailed(text=b"no")),
        ((b"Auth-Status: n\x00\xe9o",), AuthFailed(text=b"n??o")),
    ],
)
def test_a_reply_means_what_it_means_to_nginx(lines: tuple[str, ...], verdict: Verdict) -> None:
    assert read(*lines) == verdict


@given(st.lists(st.binary(max_size=30), max_size=6))
def test_any_lines_give_a_verdict(lines: list[bytes]) -> None:
    read_reply_headers(lines)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                [
                    b"Auth-Status",
                    b"Auth-Server",
                    b"Auth-Port",
                    b"Auth-User",
                    b"Auth-Pass",
                    b"Auth-Wait",
                    b"Auth-Error-Code",
                    b"X",
                ]
            ),
            st.sampled_from([b"OK", b"WAIT", b"127.0.0.1", b"::1", b"110", b""])
            | st.binary(max_size=12),
        ),
        max_size=8,
    )
)
def test_no_verdict_carries_octets_that_end_a_line(headers: list[tuple[bytes, bytes]]) -> None:
    verdict = read_reply_headers([b"%b: %b" % pair for pair in headers])
    carried = {
        AuthOk: ("login", "password"),
        AuthFailed: ("text", "error_code", "login"),
        AuthWait: ("login",),
        AuthFault: (),
    }[type(verdict)]
    for name in carried:
        value = getattr(verdict, name)
        assert value is None or not set(value) & set(b"\r\n\0")
    if isinstance(verdict, AuthFault):
        assert verdict.detail.replace("\t", " ").isprintable()


# --- addresses and texts ------------------------------------------------------------------------


@pytest.mark.parametrize("text", [b"127.0.0.1", b"0.0.0.0", b"255.255.255.255", b"::", b"fe80::1"])
def test_an_ip_address_is_one(text: bytes) -> None:
    assert is_ip_address(text)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"1.2.3",
        b"1.2.3.4.5",
        b"256.0.0.1",
        b"1.2.3.4 ",
        b"a:b",
        b"[::1]",
        b"::1%lo",
        b"::\xff",
        b":" * 60,
        b"host",
        b"1.2.3.0x4",
        "١.2.3.4".encode(),
    ],
)
def test_what_is_no_ip_address_is_none(text: bytes) -> None:
    assert not is_ip_address(text)


@given(st.binary(max_size=2000))
def test_a_text_for_a_client_is_one_printable_line_of_bounded_length(text: bytes) -> None:
    cleaned = clean_text(text)
    assert 0 < len(cleaned) <= 512
    assert all(octet == 9 or 32 <= octet < 127 for octet in cleaned)


# --- rendering ----------------------------------------------------------------------------------

# what a header value can carry: no line end, no NUL, no spaces at its ends
_VALUE = (
    st.binary(max_size=20)
    .filter(lambda value: not set(value) & set(b"\r\n\0"))
    .map(lambda value: value.strip(b" "))
)
_TEXT = st.from_regex(rb"[!-~]([ -~]{0,20}[!-~])?", fullmatch=True).filter(
    lambda text: text not in (b"OK", b"WAIT")
)
_VERDICTS = st.one_of(
    st.builds(
        AuthOk,
        server=st.ip_addresses().map(str),
        port=st.integers(1, 65_535),
        login=st.none() | _VALUE,
        password=st.none() | _VALUE,
    ),
    st.builds(
        AuthFailed,
        text=_TEXT,
        wait_s=st.integers(0, 86_400),
        error_code=st.sampled_from([b"", b"535", b"454 4.7.0"]),
        login=st.none() | _VALUE,
    ),
    st.builds(AuthWait, wait_s=st.integers(0, 86_400), login=st.none() | _VALUE),
)


@given(_VERDICTS)
def test_a_rendered_verdict_reads_back_as_it_was(verdict: AuthOk | AuthFailed | AuthWait) -> None:
    lines = [b"%b: %b" % (name.encode(), value) for name, value in render_reply_headers(verdict)]
    assert read_reply_headers(lines) == verdict


def test_an_empty_failure_text_is_replaced() -> None:
    assert render_reply_headers(AuthFailed(text=b"")) == [("Auth-Status", DEFAULT_FAILURE)]


@pytest.mark.parametrize("octet", [b"\r", b"\n", b"\0"])
@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("Auth-User", lambda bad: AuthOk(server="::1", port=1, login=bad)),
        ("Auth-Pass", lambda bad: AuthOk(server="::1", port=1, password=bad)),
        ("Auth-Status", lambda bad: AuthFailed(text=bad)),
        ("Auth-Error-Code", lambda bad: AuthFailed(text=b"x", error_code=bad)),
        ("Auth-User", lambda bad: AuthWait(wait_s=1, login=bad)),
    ],
)
def test_a_value_that_could_end_a_header_is_not_rendered(name, make, octet: bytes) -> None:
    with pytest.raises(ValueError, match=f"{name} must not contain CR, LF or NUL"):
        render_reply_headers(make(b"a" + octet + b"X-Evil: 1"))


def test_a_password_for_the_mail_server_is_not_in_the_repr() -> None:
    assert "hunter2" not in repr(AuthOk(server="::1", port=1, login=b"u", password=b"hunter2"))
