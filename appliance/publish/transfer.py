"""nginx.conf out of the admin, and into it.

What goes out holds no secret: keys are left out and named, values are masked. What comes in is read
by the code of ``proxycore check``, shown as a difference first, and written by the other apps as a
revision is loaded into the draft.
"""

import io
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from django.core.exceptions import ValidationError
from django.db import transaction

from appliance.audit import services as audit
from appliance.audit.choices import Action
from appliance.publish import conf, draft, enclosed, registry, trail
from appliance.publish.diff import Change, compare
from appliance.publish.draft import DraftProblem
from proxycore.contract.secret import Secret
from proxycore.contract.snapshot import ErrorLog, Server, Snapshot, groups_of
from proxycore.nginxconf import ConfProblem, Loaded, files_of, load_text

DIRECTORY: Final = "/etc/nginx"
"""Where relative paths of an imported file start from."""

MAX_CHARS: Final = 4_000_000

Mode = Literal["add", "all"]
"""``add``: blocks of the same name are replaced, others stay. ``all``: the file is everything."""

_LABEL: Final = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----")
_PUBLIC: Final = {b"CERTIFICATE", b"TRUSTED CERTIFICATE", b"X509 CRL", b"DH PARAMETERS"}
_MASKED: Final = Secret(Secret.MASK)


# --- out ----------------------------------------------------------------------------------------


def archive(snapshot: Snapshot, title: str) -> bytes:
    """Give a zip with nginx.conf, the public files it names, and what has to be supplied."""
    found = io.BytesIO()
    with zipfile.ZipFile(found, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("nginx.conf", conf.text(snapshot))
        for name, content in files_of(snapshot).items():
            if _is_public(content):
                packed.writestr(name, content)
        packed.writestr("README.txt", _readme(snapshot, title))
    return found.getvalue()


def missing(snapshot: Snapshot) -> list[str]:
    """Say what an export leaves out because it is secret, one sentence each."""
    blocks: dict[str, list[str]] = {}
    for server, what in _missing(snapshot):
        blocks.setdefault(what, []).append(f'"{server.name}"')
    return [f"{what} of {_blocks(names)}" for what, names in blocks.items()]


def _missing(snapshot: Snapshot) -> Iterator[tuple[Server, str]]:
    for server in snapshot.servers:
        for name, content in files_of(Snapshot(servers=(server,))).items():
            if not _is_public(content):
                yield server, f"{name}: a key"
        for header in server.auth_http.headers:
            yield server, f"the value of auth_http_header {header.name}"


def _blocks(names: list[str]) -> str:
    if len(names) == 1:
        return f"server block {names[0]}"
    return f"server blocks {', '.join(names[:-1])} and {names[-1]}"


def _is_public(content: bytes) -> bool:
    """Tell whether a file may be seen: certificates, and what is known to hold no key."""
    labels = set(_LABEL.findall(content))
    return bool(labels) and labels <= _PUBLIC


def _readme(snapshot: Snapshot, title: str) -> str:
    said = missing(snapshot)
    lines = [
        f"{title} as nginx.conf. nginx reads it, too: what only Postroad has stands in comments.",
        "Put the files beside nginx.conf.",
        "",
    ]
    if groups_of(snapshot):
        lines += [
            "Some blocks are only for nodes of the groups named above them, so that two may have",
            "one socket, which no single program can. Export one group for a file that works.",
            "",
        ]
    lines += ["Secrets are not exported. To be supplied:", *(f"- {one}" for one in said)]
    return "\n".join(lines if said else lines[:-1]) + "\n"


# --- in -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Remark:
    """What is to be said of a line of an imported file."""

    level: str
    line: int
    message: str
    source: str
    """The line as written, for who looks for it."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What an import would do to the draft."""

    remarks: Sequence[Remark]
    target: Snapshot | None = None
    """None when the file cannot be taken."""
    changes: Sequence[Change] = ()
    lost: Sequence[Change] = ()
    """From what the file says to what the admin would keep of it."""
    problems: Sequence[DraftProblem] = ()
    """What stands in the way of publishing it afterwards."""
    refusals: Sequence[str] = ()
    """Why it cannot be written."""

    @property
    def is_possible(self) -> bool:
        """Tell whether it can be taken into the draft."""
        return self.target is not None and not self.refusals


class _Undo(Exception):
    """Takes back what was only tried."""


def preview(text: str, mode: Mode, files: enclosed.Files | None = None) -> Preview:
    """Say what importing a text would do. The draft is written, compared and taken back.

    files: certificates and keys that it names, by name without directories.
    """
    loaded = load_text(text, name="nginx.conf", directory=DIRECTORY)
    remarks = _remarks(loaded, text)
    if loaded.snapshot is None:
        return Preview(remarks)
    masked = [
        f'The value of auth_http_header {header.name} of server block "{server.name}" is masked:'
        " write it out."
        for server in loaded.snapshot.servers
        for header in server.auth_http.headers
        if header.value == _MASKED
    ]
    before = draft.build().readable or Snapshot()
    target = merged(before, enclosed.put_in(loaded.snapshot, files or {}), mode)
    if masked:
        return Preview(remarks, target, refusals=masked)
    try:
        with transaction.atomic():
            registry.load_sections(target)
            after = draft.build()
            raise _Undo
    except _Undo:
        kept = after.readable or Snapshot()
        return Preview(
            remarks, target, compare(before, kept), compare(target, kept), after.problems
        )
    except ValidationError as fault:
        return Preview(remarks, target, refusals=fault.messages)


@transaction.atomic
def take(text: str, mode: Mode, files: enclosed.Files | None = None) -> Preview:
    """Import a text into the draft, whole or not at all; nothing is published.

    Gives the preview; nothing is written unless it ``is_possible``.
    """
    found = preview(text, mode, files)
    if found.is_possible and found.target is not None:
        with audit.as_one(Action.IMPORTED, name="nginx.conf into the draft") as told:
            registry.load_sections(found.target)
            told += trail.rows(found.changes)
    return found


def merged(present: Snapshot, given: Snapshot, mode: Mode) -> Snapshot:
    """Give what the draft is to be."""
    groups = {server.name: server.groups for server in present.servers}
    # which nodes run a block stands in no file: one of a name that is there stays where it is
    kept = tuple(replace(one, groups=groups.get(one.name, ())) for one in given.servers)
    given = replace(given, servers=kept)
    if mode == "all":
        # none is stderr, and the admin says so
        logs = given.process.error_logs or (ErrorLog(),)
        return replace(given, process=replace(given.process, error_logs=logs))
    new = {server.name: server for server in given.servers}
    servers = [new.pop(server.name, server) for server in present.servers]
    return replace(present, servers=(*servers, *new.values()))


def _remarks(loaded: Loaded, text: str) -> list[Remark]:
    lines = text.splitlines()
    found: list[ConfProblem] = [*loaded.problems, *loaded.notices]
    return [
        Remark(
            one.level,
            one.line,
            _shown(one.message),
            _shown(lines[one.line - 1].strip()) if 0 < one.line <= len(lines) else "",
        )
        for one in found
    ]


def _shown(text: str) -> str:
    """Give a text that may hold octets which are not UTF-8 as a page can have it."""
    return text.encode("utf-8", "replace").decode()
