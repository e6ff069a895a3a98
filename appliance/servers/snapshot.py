"""From stored settings to a snapshot's plain data, and back; ``sections`` looks them up."""

import dataclasses
import re
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings

from appliance.servers import tls
from appliance.servers.choices import AuthService, LogKind
from proxycore.contract import snapshot as contract
from proxycore.contract.codec import encode
from proxycore.contract.process import OFF, AccessLog, ErrorLog
from proxycore.contract.throttle import LoginLimits

if TYPE_CHECKING:
    from appliance.servers.models import (
        AuthHttpHeader,
        BlockLog,
        Listener,
        ProcessSettings,
        ServerBlock,
    )

BUILTIN_URI: Final = "/auth_http"
BUILTIN_KEEPALIVE: Final = 16

_SAME_NAME: Final = (
    "timeout_ms",
    "max_errors",
    "max_commands",
    "so_keepalive",
    "set_real_ip_from",
    "proxy_timeout_ms",
    "proxy_buffer_bytes",
    "proxy_pass_error_message",
    "proxy_protocol",
    "resolver_timeout_ms",
    "imap_client_buffer_bytes",
    "imap_auth",
    "imap_greeting",
    "imap_id",
    "proxy_issue_imap_id",
    "pop3_client_buffer_bytes",
    "pop3_auth",
    "pop3_greeting",
    "smtp_client_buffer_bytes",
    "smtp_auth",
    "smtp_greeting_delay_ms",
    "xclient",
    "xclient_legacy",
    "proxy_smtp_auth",
    "proxy_ctimeout_ms",
    "imap_literalauth",
    "proxy_issue_pop3_xoip",
    "server_names",
)
"""Settings whose stored form is the contract's."""

AUTH_HTTP: Final = {
    "timeout_ms": "auth_http_timeout_ms",
    "keepalive": "auth_http_keepalive",
    "cache_ttl_ms": "auth_http_cache_ttl_ms",
    "cache_stale_ms": "auth_http_cache_stale_ms",
    "pass_client_cert": "auth_http_pass_client_cert",
    "ssl_trusted_certificate": "auth_http_ssl_trusted_certificate",
}
"""Contract name below ``auth_http``, and the stored one."""

RESOLVER: Final = {
    "addresses": "resolver",
    "valid_ms": "resolver_valid_ms",
    "ipv4": "resolver_ipv4",
    "ipv6": "resolver_ipv6",
}
"""Contract name below ``resolver``, and the stored one."""

LOGIN_LIMITS: Final = tuple(field.name for field in dataclasses.fields(LoginLimits))
"""Names below ``login_limits``, which are those stored."""

_SYSLOG: Final = ("syslog_facility", "syslog_tag", "syslog_hostname")

LOG: Final = {
    "target": "log_target",
    "level": "log_level",
    "syslog_facility": "syslog_facility",
    "syslog_tag": "syslog_tag",
    "syslog_hostname": "syslog_hostname",
}
"""Contract name below ``process.error_logs[0]``, and the stored one."""

ACCESS_LOG: Final = {name: f"access_log_{name}" for name in ("target", *_SYSLOG)}
"""Contract name below ``process.access_logs[0]``, and the stored one."""

_LISTEN: Final = (
    *("address", "port", "backlog", "ssl", "proxy_protocol", "bind", "rcvbuf_bytes"),
    *("sndbuf_bytes", "ipv6only", "so_keepalive", "keepalive_idle_s", "keepalive_interval_s"),
    *("keepalive_count", "multipath"),
)

_PROCESS: Final = (
    *("worker_processes", "worker_connections", "worker_shutdown_timeout_ms"),
    *("prelogin_sessions", "prelogin_sessions_per_address", "prelogin_exempt"),
    *("user", "group", "pid"),
)


def block_plain(block: "ServerBlock") -> dict[str, Any]:
    """Give a stored block with its rows as plain data of ``contract.Server``, secrets in clear."""
    plain = settings_plain(block)
    plain["groups"] = [one.name for one in block.groups.all()]
    plain["listens"] = [listener_plain(listener) for listener in block.listeners.all()]
    if block.auth_service == AuthService.EXTERNAL:
        plain["auth_http"]["headers"] = [header_plain(one) for one in block.auth_headers.all()]
    capabilities = [one.text for one in block.capabilities.all()]
    if capabilities:
        plain[f"{block.protocol}_capabilities"] = capabilities
    for log in block.logs.all():
        plain[f"{log.kind}_logs"].append(log_plain(log))
    chosen = [tls.certificate_plain(one.certificate) for one in block.chosen.all()]
    keys = [tls.ticket_key_plain(one.value) for one in block.ticket_keys.all()]
    plain["front_tls"] |= {"certificates": chosen, "ssl_session_ticket_key": keys}
    plain["back_tls"] = tls.back_plain(block, reveal=True)
    return plain


def settings_plain(block: "ServerBlock") -> dict[str, Any]:
    """Give a block's own settings, without the rows that belong to it."""
    return {
        "name": block.name,
        "protocol": block.protocol,
        "listens": [],
        "auth_http": _auth_http(block),
        "resolver": {name: getattr(block, field) for name, field in RESOLVER.items()},
        "error_logs": [],
        "access_logs": [],
        "login_limits": {name: getattr(block, name) for name in LOGIN_LIMITS},
        "front_tls": tls.front_plain(block),
        "back_tls": tls.back_plain(block, reveal=False),
        **{name: getattr(block, name) for name in _SAME_NAME},
    }


def listener_plain(listener: "Listener") -> dict[str, Any]:
    """Give a listener as plain data of ``contract.Listen``."""
    return {name: getattr(listener, name) for name in _LISTEN}


def log_plain(log: "BlockLog") -> dict[str, Any]:
    """Give a log as plain data of ``contract.ErrorLog`` or ``contract.AccessLog``."""
    names = ("target", *_SYSLOG) if log.kind == LogKind.ACCESS else LOG
    return {name: getattr(log, name) for name in names}


def header_plain(header: "AuthHttpHeader") -> dict[str, Any]:
    """Give a header as plain data of ``contract.AuthHttpHeader``, its value in clear."""
    return {"name": header.name, "value": header.value.reveal()}


def process_plain(stored: "ProcessSettings") -> dict[str, Any]:
    """Give the nodes' processes as plain data of ``contract.Process``."""
    log = {name: getattr(stored, field) for name, field in LOG.items()}
    access = {name: getattr(stored, field) for name, field in ACCESS_LOG.items()}
    return {
        **{name: getattr(stored, name) for name in _PROCESS},
        "error_logs": [log],
        "access_logs": [] if access["target"] == OFF else [access],
    }


def _auth_http(block: "ServerBlock") -> dict[str, Any]:
    if block.auth_service == AuthService.BUILTIN:
        return {
            "host": settings.AUTH_HTTP_HOST,
            "port": settings.AUTH_HTTP_PORT,
            "uri": BUILTIN_URI,
            "timeout_ms": settings.AUTH_HTTP_TIMEOUT_MS,
            "keepalive": BUILTIN_KEEPALIVE,
            "send_node_token": True,
            "cache_ttl_ms": settings.AUTH_CACHE_TTL_MS,
            "cache_stale_ms": settings.AUTH_CACHE_STALE_MS,
        }
    stored = {name: getattr(block, field) for name, field in AUTH_HTTP.items()}
    backups = [auth_place(text) for text in block.auth_http_backups]
    return {**auth_place(block.auth_http), "backups": backups, **stored}


_URL: Final = re.compile(
    r"(?:(?P<scheme>https?)://)?(?:(?P<unix>unix:/[^:\s]+)(?::(?P<unix_uri>/\S*))?"
    r"|(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s:/\[\]]+)(?::(?P<port>\d{1,5}))?(?P<uri>/\S*)?)"
)


def parse_auth_http(text: str) -> tuple[str, int, str]:
    """Split what nginx's ``auth_http`` takes into host, port and URI. Raises ValueError."""
    place = auth_place(text)
    if place["ssl"]:
        raise ValueError("Give host:port/path or unix:/socket:/path, without https.")
    return place["host"], place["port"], place["uri"]


def auth_place(text: str) -> dict[str, Any]:
    """Give the place of an auth service as plain data, https taken as well. Raises ValueError."""
    found = _URL.fullmatch(text.strip())
    if found is None or (found["unix"] and found["scheme"]):
        raise ValueError("Give host:port/path or unix:/socket:/path.")
    if found["unix"]:
        return {"host": found["unix"], "port": 0, "uri": found["unix_uri"] or "/", "ssl": False}
    ssl = found["scheme"] == "https"
    port = int(found["port"] or (443 if ssl else 80))
    host = found["host"].strip("[]")
    return {"host": host, "port": port, "uri": found["uri"] or "/", "ssl": ssl}


def _auth_text(place: contract.AuthHttp | contract.AuthBackup) -> str:
    """Undo ``auth_place``."""
    if not place.port:
        return f"{place.host}:{place.uri}"
    host = f"[{place.host}]" if ":" in place.host else place.host
    scheme = "https://" if place.ssl else ""
    return f"{scheme}{host}:{place.port}{place.uri}"


def block_fields(server: contract.Server) -> dict[str, Any]:
    """Give the stored settings of a published block: what ``settings_plain`` was made from."""
    plain = encode(server)
    asked = server.auth_http
    fields = {name: plain[name] for name in _SAME_NAME}
    fields |= {"name": server.name, "protocol": server.protocol.value, "enabled": True}
    fields |= {field: plain["resolver"][name] for name, field in RESOLVER.items()}
    fields |= {name: plain["login_limits"][name] for name in LOGIN_LIMITS}
    fields |= tls.fields_of(server.front_tls, server.back_tls)
    if asked.send_node_token:
        return fields | {"auth_service": AuthService.BUILTIN, "auth_http": ""}
    stored = {field: getattr(asked, name) for name, field in AUTH_HTTP.items()}
    return fields | {
        "auth_service": AuthService.EXTERNAL,
        "auth_http": _auth_text(asked),
        "auth_http_backups": [_auth_text(one) for one in asked.backups],
        **stored,
    }


def listener_fields(listen: contract.Listen) -> dict[str, Any]:
    """Give the stored settings of a published socket."""
    return {name: getattr(listen, name) for name in _LISTEN}


def log_fields(log: ErrorLog | AccessLog) -> dict[str, Any]:
    """Give the stored settings of a published log of a block."""
    if isinstance(log, AccessLog):
        return {"kind": LogKind.ACCESS, **encode(log)}
    return {"kind": LogKind.ERROR, **encode(log)}


def process_fields(process: contract.Process) -> dict[str, Any]:
    """Give the stored settings of published processes."""
    fields = {name: getattr(process, name) for name in _PROCESS}
    fields["prelogin_exempt"] = list(process.prelogin_exempt)
    for log in process.error_logs[:1]:
        fields |= {field: getattr(log, name) for name, field in LOG.items()}
    for access in process.access_logs[:1] or (AccessLog(),):
        fields |= {field: getattr(access, name) for name, field in ACCESS_LOG.items()}
    return fields
