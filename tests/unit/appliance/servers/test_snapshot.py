"""From server blocks to the snapshot, and from its problems to fields."""

import dataclasses
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from appliance.certs import services as certs
from appliance.publish import draft
from appliance.servers import problems, queries, sections, services, snapshot
from appliance.servers.choices import AuthService
from appliance.servers.models import (
    AuthHttpHeader,
    BlockLog,
    Capability,
    Listener,
    NodeGroup,
    ServerBlock,
)
from proxycore.contract import snapshot as contract
from proxycore.contract.codec import decode
from proxycore.contract.protocol import Protocol
from proxycore.contract.secret import Secret
from proxycore.contract.tls import BackTls, FrontTls

NOT_IN_THE_ADMIN: set[str] = set()
"""Settings that only nginx.conf can set: none. The list may only get shorter."""

NO_FIELD_NEEDED = {"ssl_password_file", "proxy_ssl_password_file"}
"""A certificate of ours has its key without a passphrase."""

SET_IN_ROWS = {
    *("certificates", "ssl_session_ticket_key"),
    *("proxy_ssl_certificate", "proxy_ssl_certificate_key"),
}
"""Set only in a block that is stored: keys are read for nodes, not for a form."""


def _published(name: str) -> contract.Server:
    built = draft.build()
    assert built.snapshot is not None, built.problems
    return next(server for server in built.snapshot.servers if server.name == name)


def test_a_first_start_has_the_contracts_defaults_and_passes_refusals_on(
    blocks: dict[str, ServerBlock],
) -> None:
    for name, protocol, port in (
        ("imap", Protocol.IMAP, settings.IMAP_PORT),
        ("pop3", Protocol.POP3, settings.POP3_PORT),
        ("submission", Protocol.SMTP, settings.SMTP_PORT),
    ):
        server = _published(name)
        assert server == contract.Server(
            name=name,
            protocol=protocol,
            listens=(contract.Listen(address="*", port=port),),
            auth_http=server.auth_http,
            # nginx's default would answer a mistyped password with "internal server error"
            proxy_pass_error_message=True,
        )


def test_the_built_in_auth_service_is_asked_with_the_nodes_token(
    blocks: dict[str, ServerBlock],
) -> None:
    assert _published("imap").auth_http == contract.AuthHttp(
        host=settings.AUTH_HTTP_HOST,
        port=settings.AUTH_HTTP_PORT,
        uri="/auth_http",
        timeout_ms=settings.AUTH_HTTP_TIMEOUT_MS,
        keepalive=16,
        send_node_token=True,
        cache_ttl_ms=settings.AUTH_CACHE_TTL_MS,
        cache_stale_ms=settings.AUTH_CACHE_STALE_MS,
    )


def test_every_setting_of_the_contract_has_a_field_that_arrives(db: None) -> None:
    """A setting added to the contract and not to the admin fails here."""
    plain: dict[str, Any] = {
        "name": "all",
        "protocol": "smtp",
        "server_names": ["mx.example.com"],
        "timeout_ms": 11,
        "max_errors": 12,
        "proxy_timeout_ms": 13,
        "proxy_buffer_bytes": 1400,
        "proxy_pass_error_message": True,
        "imap_client_buffer_bytes": 1500,
        "imap_auth": ["plain", "login"],
        "pop3_client_buffer_bytes": 1600,
        "pop3_auth": [],
        "smtp_client_buffer_bytes": 1700,
        "smtp_auth": ["login"],
        "smtp_greeting_delay_ms": 18,
        "xclient": False,
        "proxy_smtp_auth": True,
        "max_commands": 31,
        "so_keepalive": True,
        "set_real_ip_from": ["192.0.2.0/24", "unix:"],
        "proxy_protocol": "v2",
        "resolver_timeout_ms": 32,
        "imap_greeting": "hello",
        "imap_id": ["name", "Postroad", "support-url", "https://example.com/?a=b"],
        "proxy_issue_imap_id": True,
        "pop3_greeting": "hello you",
        "xclient_legacy": True,
        "proxy_ctimeout_ms": 34,
        "imap_literalauth": True,
        "proxy_issue_pop3_xoip": True,
    }
    limits = {
        "mail_login_ip_max": 35,
        "mail_login_ip_ttl_ms": 36_000,
        "mail_login_user_max": 37,
        "mail_login_user_ttl_ms": 38_000,
        "mail_login_counts": "refused",
        "mail_whitelist_ip": ["192.0.2.0/24", "unix:"],
    }
    block = services.save_block(
        ServerBlock(
            **plain,
            **limits,
            auth_service=AuthService.EXTERNAL,
            auth_http="auth.example:8080/x?y=z",
            auth_http_timeout_ms=21,
            auth_http_keepalive=22,
            auth_http_cache_ttl_ms=23,
            auth_http_cache_stale_ms=24,
            auth_http_pass_client_cert=True,
            auth_http_backups=["https://[::1]/y", "unix:/run/auth.sock:/z"],
            auth_http_ssl_trusted_certificate="/etc/ca.pem",
            resolver=["192.0.2.53", "[2001:db8::53]:5353"],
            resolver_valid_ms=33,
            resolver_ipv4=False,
            resolver_ipv6=True,
        )
    )
    listen = {"address": "::1", "port": 25, "backlog": 26, "proxy_protocol": True}
    services.save_listener(Listener(block=block, **listen))
    BlockLog.objects.create(block=block, target="/var/log/x", level="info", syslog_tag="mail")
    BlockLog.objects.create(block=block, kind="access", target="syslog:192.0.2.1")
    for position, text in enumerate(("SIZE 1000", "8BITMIME")):
        Capability.objects.create(block=block, position=10 - position, text=text)
    AuthHttpHeader.objects.create(block=block, name="X-Key", value="secret")
    for name in ("inside", "dmz"):
        block.groups.add(services.save_group(NodeGroup(name=name)))
    expected = decode(
        contract.Server,
        {
            **plain,
            "login_limits": limits,
            "listens": [listen],
            "error_logs": [{"target": "/var/log/x", "level": "info", "syslog_tag": "mail"}],
            "access_logs": [{"target": "syslog:192.0.2.1"}],
            "resolver": {
                "addresses": ["192.0.2.53", "[2001:db8::53]:5353"],
                "valid_ms": 33,
                "ipv4": False,
                "ipv6": True,
            },
            "smtp_capabilities": ["8BITMIME", "SIZE 1000"],
            "groups": ["dmz", "inside"],
            "auth_http": {
                "host": "auth.example",
                "port": 8080,
                "uri": "/x?y=z",
                "headers": [{"name": "X-Key", "value": "secret"}],
                "timeout_ms": 21,
                "keepalive": 22,
                "cache_ttl_ms": 23,
                "cache_stale_ms": 24,
                "ssl_trusted_certificate": "/etc/ca.pem",
                "pass_client_cert": True,
                "backups": [
                    {"host": "::1", "port": 443, "uri": "/y", "ssl": True},
                    {"host": "unix:/run/auth.sock", "port": 0, "uri": "/z"},
                ],
            },
        },
    )
    assert _published("all") == expected
    set_here = {*snapshot.settings_plain(block), "smtp_capabilities", "groups"}
    # capabilities are rows, told apart by the block's protocol
    declared = {field.name for field in dataclasses.fields(contract.Server)}
    assert declared - set_here == {"imap_capabilities", "pop3_capabilities"} | NOT_IN_THE_ADMIN
    tls = {field.name for kind in (FrontTls, BackTls) for field in dataclasses.fields(kind)}
    plain = snapshot.settings_plain(block)
    assert tls - {*plain["front_tls"], *plain["back_tls"]} == SET_IN_ROWS | NO_FIELD_NEEDED
    services.load_servers(contract.Snapshot(servers=(expected,)))
    assert _published("all") == expected


def test_headers_are_for_another_service_only(blocks: dict[str, ServerBlock]) -> None:
    AuthHttpHeader.objects.create(block=blocks["imap"], name="X-Key", value="secret")
    assert _published("imap").auth_http.headers == ()


def test_a_block_that_is_off_is_left_out(blocks: dict[str, ServerBlock]) -> None:
    blocks["pop3"].enabled = False
    services.save_block(blocks["pop3"])
    built = draft.build().snapshot
    assert built is not None
    assert [server.name for server in built.servers] == ["imap", "submission"]


def test_it_takes_nine_queries_however_many_there_are(blocks: dict[str, ServerBlock]) -> None:
    certificate = certs.make_self_signed("mail", ["mail.example.com"])
    for block in blocks.values():
        services.choose_certificates(block, [certificate])
    with CaptureQueriesContext(connection) as queries:
        sections.servers()
    assert len(queries) == 9


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("192.168.1.44:80/mail/auth.php", ("192.168.1.44", 80, "/mail/auth.php")),
        (
            "http://localhost:9000/cgi-bin/nginxauth.cgi",
            ("localhost", 9000, "/cgi-bin/nginxauth.cgi"),
        ),
        ("auth.example", ("auth.example", 80, "/")),
        ("[::1]:8080/auth", ("::1", 8080, "/auth")),
        ("unix:/run/auth.sock:/auth", ("unix:/run/auth.sock", 0, "/auth")),
        ("unix:/run/auth.sock", ("unix:/run/auth.sock", 0, "/")),
    ],
)
def test_auth_http_is_read_as_nginx_writes_it(text: str, parts: tuple[str, int, str]) -> None:
    assert snapshot.parse_auth_http(text) == parts


@pytest.mark.parametrize(
    "text", ["", "https://unix:/x", "a b", "host:port/", "::1/auth", "unix:relative"]
)
def test_a_wrong_auth_http_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="Give host:port/path"):
        snapshot.parse_auth_http(text)


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("timeout_ms", "timeout_ms"),
        ("server_names[1]", "server_names"),
        ("imap_auth[0]", "imap_auth"),
        ("auth_http.timeout_ms", "auth_http_timeout_ms"),
        ("auth_http.port", "auth_http"),
        ("auth_http.uri", "auth_http"),
        ("auth_http.backups[0].host", "auth_http_backups"),
        ("resolver.addresses[0]", "resolver"),
        ("front_tls.ssl_protocols[1]", "ssl_protocols"),
        ("back_tls.proxy_ssl_pins[0]", "proxy_ssl_pins"),
    ],
)
def test_a_path_of_the_contract_is_a_field_of_the_form(path: str, field: str) -> None:
    assert problems.field_of(path) == field


def test_a_secret_of_a_row_not_yet_saved_can_be_read() -> None:
    assert snapshot.header_plain(AuthHttpHeader(name="X", value=Secret("s")))["value"] == "s"


@pytest.mark.parametrize(
    "auth_http", ["auth.example:8080/x?y=z", "[::1]:8080/auth", "unix:/run/auth.sock:/auth"]
)
def test_a_published_block_can_be_brought_back(db: None, auth_http: str) -> None:
    block = services.save_block(
        ServerBlock(
            name="all",
            protocol="smtp",
            smtp_auth=["login"],
            server_names=["mx.example.com"],
            auth_service=AuthService.EXTERNAL,
            auth_http=auth_http,
            auth_http_timeout_ms=21,
        )
    )
    services.save_listener(Listener(block=block, address="::1", port=25, backlog=26))
    Capability.objects.create(block=block, position=1, text="SIZE 1000")
    AuthHttpHeader.objects.create(block=block, name="X-Key", value="secret")
    before = draft.build().snapshot
    assert before is not None
    services.delete_blocks([block])
    services.create_default_blocks()
    services.load_servers(before)
    assert draft.build().snapshot == before


def test_the_processes_are_published_and_brought_back(db: None) -> None:
    built = draft.build().snapshot
    assert built is not None
    assert [log.level for log in built.process.error_logs] == ["info"]
    stored = queries.process_settings()
    stored.log_level, stored.worker_processes, stored.log_target = "debug", 3, "/var/log/postroad"
    services.save_process(stored)
    changed = draft.build().snapshot
    assert changed is not None
    assert changed.process.worker_processes == 3
    assert changed.process.error_logs[0].target == "/var/log/postroad"
    services.load_process(built)
    assert draft.build().snapshot == built


def test_every_setting_of_the_processes_is_on_the_page(db: None) -> None:
    plain = snapshot.process_plain(queries.process_settings())
    assert set(plain) == {field.name for field in dataclasses.fields(contract.Process)}
    assert set(plain["error_logs"][0]) == {
        field.name for field in dataclasses.fields(contract.ErrorLog)
    }
