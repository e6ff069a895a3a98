"""Writing server blocks, with the contract's own objections at the fields."""

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import override_settings

from appliance.servers import services
from appliance.servers.choices import AuthService
from appliance.servers.models import AuthHttpHeader, Capability, Listener, ServerBlock


@pytest.mark.parametrize(
    ("changed", "field", "words"),
    [
        ({"timeout_ms": 0}, "timeout_ms", "at least 1"),
        ({"proxy_buffer_bytes": 100}, "proxy_buffer_bytes", "at least 512"),
        ({"imap_auth": ["plain", "apop"]}, "imap_auth", "ust be one of: plain, login"),
        ({"server_names": ["a\x00b"]}, "server_names", "must be a name without blanks"),
        ({"server_names": ["*.*"]}, "server_names", "“*.*” is no host name"),
        ({"server_names": ["<b>x</b>"]}, "server_names", "“<b>x</b>” is no host name"),
        ({"name": "a,b"}, "name", "without braces, commas"),
        ({"name": "x" * 101}, "name", "at most 100"),
        ({"protocol": "ftp"}, "protocol", "not a valid choice"),
        ({"auth_service": AuthService.EXTERNAL}, "auth_http", "Give host:port/path"),
        (
            {"auth_service": AuthService.EXTERNAL, "auth_http": "x:70000"},
            "auth_http",
            "Must be at most 65535",
        ),
        (
            {
                "auth_service": AuthService.EXTERNAL,
                "auth_http": "192.0.2.44/auth",
                "auth_http_keepalive": 2000,
            },
            "auth_http_keepalive",
            "at most 1024",
        ),
        (
            {"auth_service": AuthService.EXTERNAL, "auth_http": "localhost:8000/auth_http"},
            "auth_http",
            "Postroad's own auth service",
        ),
    ],
)
def test_objections_are_at_the_field(
    db: None, changed: dict[str, Any], field: str, words: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        services.save_block(ServerBlock(**{"name": "imap", "protocol": "imap", **changed}))
    assert words in " ".join(refused.value.message_dict[field])
    assert len(refused.value.message_dict[field]) == 1
    assert not ServerBlock.objects.exists()


def test_a_name_is_used_once(blocks: dict[str, ServerBlock]) -> None:
    with pytest.raises(ValidationError, match="already exists"):
        services.save_block(ServerBlock(name="imap", protocol="imap"))


@pytest.mark.parametrize(
    "address", ["*", "0.0.0.0", "::", "fe80::1", "192.0.2.1", "mx.example.com"]
)
def test_addresses_that_can_be_listened_on(blocks: dict[str, ServerBlock], address: str) -> None:
    services.save_listener(Listener(block=blocks["imap"], address=address, port=5143))


@pytest.mark.parametrize(
    ("address", "port", "field"),
    [
        ("local host", 143, "address"),
        ("", 143, "address"),
        ("unix:run/x", 0, "address"),
        ("unix:/run/x", 143, "port"),
        ("*", 0, "port"),
        ("*", 65536, "port"),
        ("300.1.1.1", 5143, "address"),
        ("fe80::zz", 5143, "address"),
        ("*", 8000, "port"),
        ("127.0.0.1", 8001, "port"),
        ("0.0.0.0", 1110, "port"),
    ],
)
def test_sockets_that_cannot_be(
    blocks: dict[str, ServerBlock], address: str, port: int, field: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        services.save_listener(Listener(block=blocks["imap"], address=address, port=port))
    assert field in refused.value.message_dict


def test_a_socket_belongs_to_one_block(blocks: dict[str, ServerBlock]) -> None:
    taken = blocks["imap"].listeners.get()
    with pytest.raises(ValidationError, match="Server block “imap” listens on"):
        services.save_listener(
            Listener(block=blocks["pop3"], address=taken.address, port=taken.port)
        )


def test_rows_are_checked_like_settings(blocks: dict[str, ServerBlock]) -> None:
    with pytest.raises(ValidationError, match="Must be"):
        Capability(block=blocks["imap"], text="A\r\nB").full_clean()
    with pytest.raises(ValidationError, match="Must be"):
        AuthHttpHeader(block=blocks["imap"], name="X Key", value="v").full_clean()
    with pytest.raises(ValidationError, match="Must be"):
        AuthHttpHeader(block=blocks["imap"], name="X-Key", value="v\r\nX: y").full_clean()


def test_default_blocks_are_made_once_and_on_the_ports_of_the_environment(db: None) -> None:
    with override_settings(IMAP_PORT=2143, LISTEN_ADDRESS="127.0.0.1"):
        created = services.create_default_blocks()
    assert [str(block.listeners.get()) for block in created] == [
        "127.0.0.1:2143",
        "127.0.0.1:1110",
        "127.0.0.1:1587",
    ]
    assert services.create_default_blocks() == []
    services.delete_blocks(created)
    assert not Listener.objects.exists()
