"""What changed between two snapshots, in words. Secrets are compared and never shown."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from operator import attrgetter
from typing import Any, Final, Literal

from appliance.lib.x509 import Facts, blocks, facts_of_pem
from proxycore.contract.fields import settings_of
from proxycore.contract.process import AccessLog
from proxycore.contract.secret import Secret
from proxycore.contract.snapshot import (
    AuthBackup,
    AuthHttpHeader,
    ErrorLog,
    Listen,
    Resolver,
    Server,
    Snapshot,
)
from proxycore.contract.tls import DATA, Certificate, ConfCommand


def _certificate_name(certificate: Certificate) -> str:
    """Name a certificate by what it is for: a renewed one is the same with another content."""
    facts = _facts(certificate)
    return f"{facts.title} ({facts.key_kind})" if facts else certificate.ssl_certificate[:100]


def _place_of(backup: AuthBackup) -> str:
    return f"{backup.host}:{backup.port}{backup.uri}"


_NAMES: Final[dict[type, tuple[str, Callable[[Any], str]]]] = {
    Server: ("server block", attrgetter("name")),
    Listen: ("listener", attrgetter("key")),
    AuthHttpHeader: ("auth_http_header", attrgetter("name")),
    AuthBackup: ("auth_http backup", _place_of),
    ErrorLog: ("error_log", attrgetter("target")),
    AccessLog: ("access_log", attrgetter("target")),
    Certificate: ("certificate", _certificate_name),
    ConfCommand: ("OpenSSL command", attrgetter("name")),
}
"""What members of lists are called, and by what two of them are known to be the same."""

_EMPTY: Final = {"groups": "every node"}
"""What stands for an empty list, where that is not nothing."""

_PREFIXES: Final = {Resolver: "resolver "}
"""What goes before the settings of a group whose own names say too little."""


@dataclass(frozen=True, slots=True)
class Change:
    """One difference."""

    kind: Literal["added", "removed", "changed"]
    subject: str
    """Where it is, for instance ``server block "imap"``; empty for the whole node."""
    setting: str = ""
    """Name of the setting; empty when the subject itself came or went."""
    before: str = ""
    after: str = ""
    sentence: str = ""
    """Says it, where "changed from … to …" would not."""

    def __str__(self) -> str:
        if self.sentence:
            return f"{self.subject}: {self.sentence}"
        where = f"{self.subject}: {self.setting}" if self.setting and self.subject else ""
        where = where or self.setting or self.subject
        if self.kind != "changed":
            return f"{where} {self.kind}"
        return f"{where} changed from {self.before} to {self.after}"


def compare(before: Snapshot, after: Snapshot) -> list[Change]:
    """List what has to be done to get from one snapshot to the other."""
    return list(_objects("", before, after))


def certificate_changes(before: Server, after: Server) -> list[Change]:
    """List what becomes of the certificates that a block shows to clients."""
    old, new = before.front_tls.certificates, after.front_tls.certificates
    if old == new:
        return []
    return list(_members(f'server block "{after.name}"', old, new))


def _objects(subject: str, before: Any, after: Any) -> Iterator[Change]:
    if before == after:
        return
    if isinstance(after, Certificate):
        yield Change("changed", subject, sentence=_renewed(before, after))
        return
    prefix = _PREFIXES.get(type(after), "")
    declared = settings_of(type(after))
    for field in fields(after):
        old, new = getattr(before, field.name), getattr(after, field.name)
        if old == new:
            continue
        if is_dataclass(new) and is_dataclass(old):
            yield from _objects(subject, old, new)
        elif isinstance(new, tuple) and any(is_dataclass(item) for item in (*old, *new)):
            yield from _members(subject, old, new)
        else:
            unit = declared[field.name].unit if field.name in declared else ""
            unit = unit if unit in ("ms", "bytes") else ""
            nothing = _EMPTY.get(field.name, "nothing")
            words = [nothing if one == () else _words(one, unit) for one in (old, new)]
            yield Change("changed", subject, prefix + field.name, *words)


def _members(subject: str, before: tuple[Any, ...], after: tuple[Any, ...]) -> Iterator[Change]:
    kind, name_of = _NAMES[type((*before, *after)[0])]
    old, new = (_by_name(items, name_of) for items in (before, after))
    found = False
    for name in [*old, *(name for name in new if name not in old)]:
        here = f'{subject}, {kind} "{name}"' if subject else f'{kind} "{name}"'
        if name not in new:
            changes: list[Change] = [Change("removed", here)]
        elif name not in old:
            changes = [Change("added", here, sentence=_added(new[name]))]
        else:
            changes = list(_objects(here, old[name], new[name]))
        found = found or bool(changes)
        yield from changes
    if not found:
        order = [", ".join(items) for items in (old, new)]
        yield Change("changed", subject, f"order of each {kind}", *order)


def _by_name(items: tuple[Any, ...], name_of: Callable[[Any], str]) -> dict[str, Any]:
    """Give members by name; a second one of a name gets a number behind it."""
    found: dict[str, Any] = {}
    for item in items:
        name = wanted = name_of(item)
        number = 1
        while name in found:
            number += 1
            name = f"{wanted} {number}"
        found[name] = item
    return found


def _facts(certificate: Certificate) -> Facts | None:
    return facts_of_pem(certificate.ssl_certificate)


def _added(member: Any) -> str:
    if isinstance(member, Server) and member.groups:
        return f"added, only for nodes of {' and '.join(member.groups)}"
    facts = _facts(member) if isinstance(member, Certificate) else None
    return f"added, valid until {facts.until}" if facts else ""


def _renewed(before: Certificate, after: Certificate) -> str:
    """Say what became of a certificate that is for the same as before."""
    old, new = _facts(before), _facts(after)
    if old is None or new is None:
        return "changed"
    if old.fingerprint == new.fingerprint:
        same = before.ssl_certificate == after.ssl_certificate
        return "key changed" if same else "chain changed"
    what = "renewed" if new.not_after >= old.not_after else "replaced by an older one"
    return f"{what}: valid until {new.until}, before until {old.until}"


def _content(text: str) -> str:
    """Say what PEM text is; it is too long to be shown."""
    data = text.encode()
    certificates = blocks(data, "CERTIFICATE")
    if len(certificates) == 1:
        facts = facts_of_pem(text)
        return f"the certificate of {facts.title}" if facts else "a certificate"
    return f"{len(certificates)} certificates" if certificates else "other PEM text"


def _words(value: Any, unit: str) -> str:
    if isinstance(value, Secret):
        return Secret.MASK if value else "nothing"
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        return " ".join(_words(one, "") for one in value) or "nothing"
    if isinstance(value, str) and value.startswith(DATA):
        return _content(value)
    text = str(value) or "nothing"
    return f"{text} {unit}" if unit else text
