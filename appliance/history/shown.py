"""A record as people read it: one line of a list, or a page with the way of the session."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from django.template.defaultfilters import filesizeformat
from django.urls import reverse

from appliance.history import causes, names, queries
from appliance.history.models import LastLogin, SessionRecord
from appliance.history.reading import shown_address
from proxycore.contract.reasons import CloseReason

_OF_ACCOUNT: Final = 8
"""Sessions on the page of an account."""

_BAR: Final = 1000
"""Width of the picture, in its own units."""
_LEAST: Final = 6
"""Width of a phase that took no time to speak of: it is to be seen that it was there."""


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of the way to the mailbox."""

    name: str
    title: str
    began_ms: int
    took_ms: int
    x: int = 0
    width: int = 0
    is_last: bool = False
    """The session failed here."""

    @property
    def took(self) -> str:
        """Say how long it took."""
        return duration(self.took_ms)


@dataclass(frozen=True, slots=True)
class Line:
    """A record in a list."""

    record: SessionRecord
    node: str
    began_at: datetime
    address: str
    outcome: str
    tone: str
    took: str
    octets: str
    link: str
    title: str


def line(record: SessionRecord, known: dict[int, str]) -> Line:
    """Give a record as it stands in a list."""
    outcome, tone = outcome_of(record)
    relayed = record.relay_ms is not None
    return Line(
        record=record,
        node=names.name_of(record.node, known),
        began_at=began_at(record),
        address=shown_address(record.address),
        outcome=outcome,
        tone=tone,
        took="" if record.attempt else duration(record.total_ms),
        octets=_octets(record) if relayed else "",
        link=reverse("admin:history_sessionrecord_change", args=[record.pk]),
        title=causes.meaning(record.reason),
    )


def outcome_of(record: SessionRecord) -> tuple[str, str]:
    """Say in a word what became of it, and in which colour."""
    if record.attempt:
        return "Failed login", "danger"
    if record.relay_ms is not None:
        if record.reason in (CloseReason.DONE, CloseReason.IDLE_TIMEOUT):
            return "Logged in", "success"
        return f"Logged in; {_later(causes.title(record.reason))}", "warning"
    return causes.title(record.reason), causes.tone(record.reason)


def _later(text: str) -> str:
    return text[:1].lower() + text[1:]


def began_at(record: SessionRecord) -> datetime:
    """Give when the client was accepted; of a failed login, when it was refused."""
    return record.ended_at - timedelta(milliseconds=min(record.total_ms, 2**40))


def phases(record: SessionRecord) -> list[Phase]:
    """Give the way to the mailbox, phase by phase, as a picture."""
    tls, credentials = record.tls_ms, record.credentials_ms
    found: list[tuple[str, str, int]] = []
    if tls is not None:
        found.append(("tls", "TLS handshake", tls))
    if credentials is not None:
        found.append(("client", "Waited for the login", max(0, credentials - (tls or 0))))
    for name, title, took in (
        ("auth", "Auth service decided", record.auth_ms),
        ("connect", "Connected to the mail server", record.connect_ms),
        ("login", "Logged in there", record.login_ms),
    ):
        if took is not None:
            found.append((name, title, took))
    if credentials is None and record.relay_ms is None:
        rest = record.total_ms - sum(took for _, _, took in found)
        found.append(("client", "Waited for the client", max(0, rest)))
    return _drawn(found, failed=record.relay_ms is None)


def _drawn(found: list[tuple[str, str, int]], *, failed: bool) -> list[Phase]:
    total = sum(took for _, _, took in found)
    room = _BAR - _LEAST * len(found)
    drawn, x, began = [], 0, 0
    for number, (name, title, took) in enumerate(found, 1):
        width = _LEAST + (took * room // total if total else room // len(found))
        is_last = failed and number == len(found)
        drawn.append(Phase(name, title, began, took, x, width, is_last))
        x, began = x + width, began + took
    return drawn


def duration(ms: int) -> str:
    """Give a time as people say it."""
    if ms < 1000:
        return f"{ms} ms"
    seconds = ms / 1000
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min"
    return f"{hours // 24} days {hours % 24} h"


def explain_link(record: SessionRecord) -> str:
    """Give the page that says where this login would go now; empty when none was tried."""
    if not record.login:
        return ""
    asked = {
        "login": record.login,
        "protocol": record.protocol,
        "client_ip": shown_address(record.address) if record.address else "",
        "tls": "on" if record.front_tls else "off",
    }
    return f"{reverse('explain')}?{urlencode(asked)}"


def facts(record: SessionRecord, known: dict[int, str]) -> list[tuple[str, Any]]:
    """Give what is known of the session, as pairs."""
    told = [
        ("Client", f"{shown_address(record.address)} port {record.port}"),
        ("Came through", record.proxied_by and f"proxy {record.proxied_by}"),
        ("Listener", f"{record.listen} of server block {record.server}"),
        ("Node", names.name_of(record.node, known)),
        ("Method", record.method),
        ("Decided", "from the cache" if record.cached else ""),
        ("Submissions", record.attempts if record.attempts > 1 and not record.attempt else ""),
        ("Mail server", record.backend),
        ("Login there", record.back_login),
        ("Auth service calls it", record.auth_session),
        ("Session", record.session),
    ]
    return [(name, value) for name, value in told if value]


def tls_facts(record: SessionRecord) -> list[tuple[str, str]]:
    """Give what is known of TLS on both legs."""
    front = _tls(record.front_tls, record.front_cipher, record.front_resumed)
    back = _tls(record.back_tls, record.back_cipher, record.back_resumed)
    told = [
        ("With the client", front or "in clear"),
        ("Asked for the name", record.front_sni),
        ("Agreed protocol", record.front_alpn),
        ("Client certificate", record.front_verify),
        ("With the mail server", back or ("in clear" if record.backend else "")),
        ("Its certificate", record.back_verify),
    ]
    return [(name, value) for name, value in told if value]


def _tls(version: str, cipher: str, is_resumed: bool) -> str:
    if not version:
        return ""
    return ", ".join([version, *filter(None, [cipher]), *(["resumed"] if is_resumed else [])])


def _octets(record: SessionRecord) -> str:
    return str(filesizeformat(record.bytes_to_front + record.bytes_to_back))


@dataclass(frozen=True, slots=True)
class OfAccount:
    """What an account's page says of its sessions."""

    lines: list[Line]
    last: LastLogin | None
    link: str


def of_account(login: str, logins: Collection[str]) -> OfAccount:
    """Give the last sessions of an account. logins: all it is called, by alias domains too."""
    known = names.all_names()
    lines = [line(row, known) for row in queries.last_sessions(logins, _OF_ACCOUNT)]
    lasts = queries.last_logins(logins).values()
    link = f"{reverse('admin:history_sessionrecord_changelist')}?{urlencode({'user': login})}"
    return OfAccount(lines, max(lasts, key=lambda one: one.at, default=None), link)
