"""What is computed once per server block."""

import pytest

from proxycore.contract.protocol import Protocol
from proxycore.contract.snapshot import AuthHttp
from proxycore.dialogue.commands import SendFront, SetTimer
from proxycore.dialogue.profile import build
from tests.support.sessions import profile, server


@pytest.mark.parametrize(
    ("protocol", "greeting"),
    [
        (Protocol.IMAP, b"* OK IMAP4 ready\r\n"),
        (Protocol.POP3, b"+OK POP3 ready\r\n"),
        (Protocol.SMTP, b"220 mx.example.com ESMTP ready\r\n"),
    ],
)
def test_the_opening_is_greeting_and_budget(protocol: Protocol, greeting: bytes) -> None:
    assert profile(protocol, timeout_ms=5000).opening == (SendFront(greeting), SetTimer(5000))


def test_the_first_server_name_is_ours_and_the_host_name_without_one() -> None:
    named = server(Protocol.SMTP, server_names=("a.example", "b.example"))
    assert build(named, "host").name == b"a.example"
    assert build(server(Protocol.SMTP), "host").name == b"host"


def test_each_protocol_has_its_own_buffer_limit() -> None:
    settings = {
        "imap_client_buffer_bytes": 1001,
        "pop3_client_buffer_bytes": 1002,
        "smtp_client_buffer_bytes": 1003,
    }
    limits = [profile(protocol, **settings).client_buffer_bytes for protocol in Protocol]
    assert limits == [1001, 1002, 1003]


def test_only_smtp_delays_its_greeting() -> None:
    delays = [
        profile(protocol, smtp_greeting_delay_ms=9).greeting_delay is not None
        for protocol in Protocol
    ]
    assert delays == [False, False, True]
    assert profile(Protocol.SMTP).greeting_delay is None


def test_capabilities_keep_their_order_and_mechanisms_have_a_fixed_one() -> None:
    imap = profile(Protocol.IMAP, imap_capabilities=("Z", "A"), imap_auth=("login", "plain"))
    assert imap.capabilities == b"* CAPABILITY Z A AUTH=PLAIN AUTH=LOGIN\r\n"
    smtp = profile(Protocol.SMTP, smtp_capabilities=("Z 1", "A"), smtp_auth=("login", "plain"))
    assert smtp.capabilities == (
        b"250-mx.example.com\r\n250-Z 1\r\n250-A\r\n250 AUTH PLAIN LOGIN\r\n"
    )


def test_pop3_announces_login_together_with_plain() -> None:
    pop3 = profile(Protocol.POP3, pop3_capabilities=("UIDL",))
    assert pop3.capabilities == (
        b"+OK Capability list follows\r\nUIDL\r\nSASL PLAIN LOGIN\r\n.\r\n"
    )
    assert pop3.methods == b"+OK methods supported:\r\nPLAIN\r\nLOGIN\r\n.\r\n"


def test_plain_and_login_are_accepted_even_if_not_announced() -> None:
    quiet = profile(Protocol.IMAP, imap_auth=())
    assert set(quiet.mechanisms) == {b"PLAIN", b"LOGIN"}
    assert b"AUTH=" not in quiet.capabilities


def test_the_auth_service_is_named_as_it_is_reached() -> None:
    def named(host: str) -> str:
        auth = AuthHttp(host=host, port=9000)
        block = server(Protocol.IMAP)
        return build(
            type(block)(name="a", protocol=block.protocol, listens=block.listens, auth_http=auth),
            "host",
        ).auth_service

    assert named("auth.example.com") == "auth.example.com:9000"
    assert named("unix:/run/auth") == "unix:/run/auth"
    assert named("2001:db8::1") == "[2001:db8::1]:9000"
