"""What is wrong with a stored setting, at the field that shows it, in the contract's words."""

import base64
import ipaddress
import re
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings

from appliance.servers import tls
from appliance.servers.choices import AuthService, LogKind
from appliance.servers.snapshot import (
    ACCESS_LOG,
    AUTH_HTTP,
    BUILTIN_URI,
    LOG,
    RESOLVER,
    header_plain,
    listener_plain,
    log_plain,
    process_plain,
    settings_plain,
)
from proxycore.contract import snapshot as contract
from proxycore.contract.codec import Invalid, decode
from proxycore.contract.process import AccessLog, ErrorLog, find_network_problems

if TYPE_CHECKING:
    from appliance.servers.models import (
        AuthHttpHeader,
        BlockLog,
        Listener,
        ProcessSettings,
        ServerBlock,
        TicketKey,
    )

Problems = dict[str, list[str]]


def of_block(block: "ServerBlock") -> Problems:
    """Say what the contract does not accept, by stored field."""
    try:
        plain = settings_plain(block)
    except ValueError as fault:
        return {"auth_http": [str(fault)]}
    problems = _problems(contract.Server, plain)
    for field, said in tls.problems_of(block).items():
        problems.setdefault(field, said)
    for field, said in _wrong_networks("mail_whitelist_ip", block.mail_whitelist_ip).items():
        problems.setdefault(field, said)
    names = [name for name in block.server_names if not _HOST_NAME.fullmatch(name)]
    if names and "server_names" not in problems:
        problems["server_names"] = [
            f"“{name}” is no host name: letters, digits, hyphens and dots; "
            "*.example.com, .example.com and mail.* stand for several."
            for name in names
        ]
    asked = plain["auth_http"]
    own = {settings.AUTH_HTTP_PORT, settings.HTTP_PORT, settings.AUTH_LISTEN_PORT}
    is_ours = asked["uri"].startswith(BUILTIN_URI) and asked["port"] in own
    if block.auth_service == AuthService.EXTERNAL and is_ours and asked["host"] in _OWN_HOSTS:
        problems["auth_http"] = [
            "This is Postroad's own auth service: choose “Postroad's accounts and routes” above."
        ]
    return problems


_HOST_NAME: Final = re.compile(
    r"_|\*|(?:\*?\.)?[0-9A-Za-z](?:[0-9A-Za-z-]*[0-9A-Za-z])?(?:\.[0-9A-Za-z-]+)*(?:\.\*?)?"
)
_OWN_HOSTS: Final = {
    *("127.0.0.1", "localhost", "::1"),
    *(settings.AUTH_HTTP_HOST, settings.HTTP_ADDRESS),
}


def of_listener(listener: "Listener") -> Problems:
    """Say what is wrong with a socket, by stored field."""
    problems = _problems(contract.Listen, listener_plain(listener))
    is_unix = listener.address.startswith("unix:")
    if not is_unix and "address" not in problems and not _is_place(listener.address):
        problems["address"] = [f"{listener.address} is no IP address."]
    if not is_unix and not listener.port:
        problems.setdefault("port", []).append("A TCP listener needs a port.")
    if is_unix and listener.port:
        problems.setdefault("port", []).append("A unix socket has no port; give 0.")
    return problems


def _is_place(address: str) -> bool:
    """Tell whether what looks like an IP address is one. Host names are found out by the node."""
    if ":" not in address and not re.fullmatch(r"[0-9.]+", address):
        return True
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return False
    return True


def of_process(stored: "ProcessSettings") -> Problems:
    """Say what is wrong with the processes' settings, by stored field."""
    found = _problems(contract.Process, process_plain(stored))
    below = {f"error_logs[0].{name}": field for name, field in LOG.items()}
    below |= {f"access_logs[0].{name}": field for name, field in ACCESS_LOG.items()}
    found |= _wrong_networks("prelogin_exempt", stored.prelogin_exempt)
    return {below.get(path, path): messages for path, messages in found.items()}


def _wrong_networks(field: str, sources: list[str]) -> Problems:
    wrong = [one.path for one in find_network_problems(tuple(sources), field)]
    words = [_word({field: sources}, path) for path in wrong]
    return {field: [f"“{one}” is no address or network." for one in words]} if words else {}


def of_log(log: "BlockLog") -> Problems:
    """Say what is wrong with a log of a block, by stored field."""
    kind = AccessLog if log.kind == LogKind.ACCESS else ErrorLog
    return _problems(kind, log_plain(log))


def of_ticket_key(key: "TicketKey") -> Problems:
    """Say why a text is no ticket key."""
    try:
        content = base64.b64decode("".join(key.value.reveal().split()), validate=True)
    except ValueError:
        return {"value": ["This is no base64."]}
    if len(content) in (48, 80):
        return {}
    return {"value": [f"A key has 80 or 48 bytes; this has {len(content)}."]}


def of_header(header: "AuthHttpHeader") -> Problems:
    """Say what is wrong with a header, by stored field."""
    return _problems(contract.AuthHttpHeader, header_plain(header))


def field_of(path: str) -> str:
    """Give the stored field of a path of ``contract.Server``: what a form shows the error at."""
    head, _, rest = path.partition(".")
    head = re.sub(r"\[\d+\]$", "", head)
    rest = re.sub(r"(\[\d+\].*)?$", "", rest)
    if head == "auth_http":
        return "auth_http_backups" if rest == "backups" else AUTH_HTTP.get(rest, head)
    if head == "resolver":
        return RESOLVER.get(rest, head)
    return rest if head in ("front_tls", "back_tls", "login_limits") and rest else head


def _word(plain: dict[str, Any], path: str) -> str:
    """Give the one word of a list that a problem is about."""
    found = re.fullmatch(r"(?:(front_tls|back_tls|login_limits)\.)?(\w+)\[(\d+)\]", path)
    words = (plain.get(found[1], {}) if found[1] else plain).get(found[2]) if found else None
    return str(words[int(found[3])]) if found and words else ""


def _problems(kind: type, plain: dict[str, Any]) -> Problems:
    try:
        decode(kind, plain)
    except Invalid as invalid:
        found: Problems = {}
        for problem in invalid.problems:
            message = f"{problem.message[:1].upper()}{problem.message[1:]}."
            word = _word(plain, problem.path)
            if word:
                message = f"“{word}” {problem.message}."
            found.setdefault(field_of(problem.path), []).append(message)
        return found
    return {}
