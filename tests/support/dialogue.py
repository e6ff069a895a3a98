"""Transcripts of sessions: how they are written, read and played.

One file is one story, readable beside the RFC. It names three parties only by the octets they
exchange, so the same file can be played against the machine (``play`` here) or over sockets:

    # Comment: what the story shows.
    # nginx: mail_imap 3 4                           what it shows of nginx's own tests, by number
    listener imap max_errors=2 client_ip=192.0.2.1   settings of the server block, and facts
    S: * OK IMAP4 ready                              we say to the client
    C: a1 LOGIN joe secret                           the client says; lines in a row are one write
    ! AskAuth user=joe password=secret               we want something
    ? FrontSecured                                   a handshake is done, behind ! SecureFront
    ? AuthAnswered ok server=192.0.2.9 port=143      something happens
    U: * OK ready                                    the mail server (upstream) says
    B: a1 LOGIN "joe" "secret"                       we say to the mail server (back)
    ! Close client_quit                              the end, and why

``SetTimer``, ``CancelTimer`` and ``Note`` may be left out, unless the listener line says
``show=timers`` or ``show=notes`` (or both, with a comma). Behind ``! Relay`` whoever plays it
copies, so that a story can go on: what the client says is said to the mail server, and back.

A line ends in CRLF unless it ends in ``<more>``. Octets that do not show are written ``<CR>``
``<LF>`` ``<NUL>`` ``<SP>`` ``<TAB>`` ``<xFF>``, repetition ``<A*500>``, base64 ``<b64:joe>`` and
``<plain:joe,secret>``.
"""

import base64
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_type_hints

from proxycore.contract.codec import decode
from proxycore.contract.snapshot import Server

CORPUS = Path(__file__).parents[1] / "protocol"
HOSTNAME = "mx.example.com"

_NAMED = {"CR": b"\r", "LF": b"\n", "NUL": b"\0", "SP": b" ", "TAB": b"\t"}
_TOKEN = re.compile(
    r"<(?:(?P<name>CR|LF|NUL|SP|TAB)|x(?P<hex>[0-9A-F]{2})|(?P<unit>[^<>]+)\*(?P<count>\d+)"
    r"|b64:(?P<b64>[^<>]*(?:<(?:NUL|CR|LF|x..|.\*\d+)>[^<>]*)*)|plain:(?P<user>[^<>,]*),(?P<password>[^<>,]*))>"
)


@dataclass
class Said:
    """Octets of one party: C(lient), S (we, to the client), U(pstream), B (we, to upstream)."""

    party: str
    octets: bytes


@dataclass
class Happened:
    """A ``?`` line."""

    name: str
    words: list[str]
    facts: dict[str, bytes]


@dataclass
class Wanted:
    """A ``!`` line."""

    name: str
    words: list[str]
    wishes: dict[str, bytes]

    def __str__(self) -> str:
        wishes = [f"{key}={value!r}" for key, value in self.wishes.items()]
        return " ".join(["!", self.name, *self.words, *wishes])


Line = Said | Happened | Wanted


@dataclass
class Dialogue:
    """One transcript."""

    path: Path
    server: Server
    facts: dict[str, str]
    shown: frozenset[str]
    """What may not be left out: ``timers``, ``notes``."""
    is_cut_sensitive: bool
    """The story depends on what comes in one packet (``cut=matters``)."""
    is_accepted: bool
    """False: nobody said Accepted when the story begins."""
    is_inside_tls: bool
    """The client came by a socket with ``ssl`` (``tls=on``)."""
    lines: list[Line] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"{self.path.parent.name}/{self.path.stem}"


def load_all() -> list[Dialogue]:
    """Read the whole corpus, in a stable order."""
    return [load(path) for path in sorted(CORPUS.glob("*/*.dialogue"))]


def load(path: Path) -> Dialogue:
    """Read one transcript. Raises ValueError naming file and line."""
    dialogue: Dialogue | None = None
    for number, text in enumerate(path.read_text().splitlines(), 1):
        if not text.strip() or text.startswith("#"):
            continue
        try:
            if dialogue is None:
                dialogue = _read_listener(path, text)
            else:
                _add(dialogue.lines, _read_line(text))
        except (ValueError, KeyError) as error:
            raise ValueError(f"{path}:{number}: {error}") from error
    if dialogue is None:
        raise ValueError(f"{path}: no listener line")
    return dialogue


def _add(lines: list[Line], line: Line) -> None:
    last = lines[-1] if lines else None
    if isinstance(line, Said) and isinstance(last, Said) and line.party == last.party:
        last.octets += line.octets
    else:
        lines.append(line)


def _read_listener(path: Path, text: str) -> Dialogue:
    keyword, protocol, *words = text.split()
    if keyword != "listener":
        raise ValueError("the first line must be: listener PROTOCOL setting=value ...")
    settings = dict(word.split("=", 1) for word in words)
    shown = frozenset(filter(None, settings.pop("show", "").split(",")))
    cut = settings.pop("cut", "") == "matters"
    accepted = settings.pop("accepted", "yes") == "yes"
    inside_tls = settings.pop("tls", "off") == "on"
    facts = {key: settings.pop(key) for key in list(settings) if key.startswith("client_h")}
    if "client_ip" in settings:
        facts["client_ip"] = settings.pop("client_ip")
    plain: dict[str, object] = {"name": "story", "protocol": protocol, "listens": [{"port": 1}]}
    plain |= {"auth_http": {"host": "auth.example.com"}}
    back_tls = {key: settings.pop(key) for key in list(settings) if key.startswith("proxy_ssl")}
    plain |= {"back_tls": back_tls} if back_tls else {}
    if "starttls" in settings:
        plain["front_tls"] = {"starttls": settings.pop("starttls")}
    plain |= {key: _plain_value(key, value) for key, value in settings.items()}
    return Dialogue(path, decode(Server, plain), facts, shown, cut, accepted, inside_tls)


def _plain_value(key: str, value: str) -> object:
    hint = get_type_hints(Server)[key]
    if hint is bool:
        return {"on": True, "off": False}[value]
    if hint is int:
        return int(value)
    if hint is str:
        return unescape(value).decode()
    return unescape(value).decode().split(",") if value else []


def _read_line(text: str) -> Line:
    mark, _, rest = text.partition(" ")
    if mark in ("S:", "C:", "U:", "B:"):
        octets = unescape(rest.removesuffix("<more>"))
        return Said(mark[0], octets if rest.endswith("<more>") else octets + b"\r\n")
    name, *words = rest.split()
    pairs = {}
    plain = []
    for word in words:
        key, equals, value = word.partition("=")
        if equals and name != "Note":
            pairs[key] = unescape(value)
        else:
            plain.append(word)
    if mark == "!":
        return Wanted(name, plain, pairs)
    if mark == "?":
        return Happened(name, plain, pairs)
    raise ValueError(f"unknown mark {mark!r}")


def unescape(text: str) -> bytes:
    """Give the octets a transcript's text stands for."""
    octets, position = b"", 0
    for found in _TOKEN.finditer(text):
        octets += text[position : found.start()].encode() + _token(found)
        position = found.end()
    return octets + text[position:].encode()


def _token(found: re.Match[str]) -> bytes:
    if found["name"]:
        return _NAMED[found["name"]]
    if found["hex"]:
        return bytes.fromhex(found["hex"])
    if found["unit"]:
        return found["unit"].encode() * int(found["count"])
    if found["b64"] is not None:
        return base64.b64encode(unescape(found["b64"]))
    return base64.b64encode(b"\0%b\0%b" % (found["user"].encode(), found["password"].encode()))


# --- cutting ------------------------------------------------------------------------------------

Cut = Callable[[bytes], Iterator[bytes]]
"""How octets of one write arrive."""


def whole(octets: bytes) -> Iterator[bytes]:
    """As they were written."""
    yield octets


def bytewise(octets: bytes) -> Iterator[bytes]:
    """One octet at a time."""
    for i in range(len(octets)):
        yield octets[i : i + 1]


def at_random(choose: Callable[[int], int]) -> Cut:
    """In pieces of random size. ``choose``: gives a number from 1 to its argument."""

    def cut(octets: bytes) -> Iterator[bytes]:
        while octets:
            size = choose(len(octets))
            yield octets[:size]
            octets = octets[size:]

    return cut


# --- what was wanted against what was done ------------------------------------------------------


def differences(expected: Sequence[Line], done: Sequence[Line], shown: frozenset[str]) -> str:
    """Compare what a story wants with what was done; empty when they agree."""
    wanted, got = list(expected), _without_optional(list(done), list(expected), shown)
    for i in range(max(len(wanted), len(got))):
        left = wanted[i] if i < len(wanted) else None
        right = got[i] if i < len(got) else None
        if not _agree(left, right):
            return f"wanted: {left}\n   got: {right}\nall of: {[str(line) for line in got]}"
    return ""


_OPTIONAL = {"SetTimer": "timers", "CancelTimer": "timers", "Note": "notes"}


def _without_optional(done: list[Line], wanted: list[Line], shown: frozenset[str]) -> list[Line]:
    optional = {name for name, kind in _OPTIONAL.items() if kind not in shown}
    mentioned = {line.name for line in wanted if isinstance(line, Wanted)}
    kept: list[Line] = []
    for line in done:
        if isinstance(line, Wanted) and line.name in optional - mentioned:
            continue
        _add(kept, Said(line.party, line.octets) if isinstance(line, Said) else line)
    return kept


def _agree(wanted: Line | None, got: Line | None) -> bool:
    if isinstance(wanted, Wanted) and isinstance(got, Wanted):
        return (
            wanted.name == got.name
            and wanted.words == got.words
            and all(got.wishes.get(key) == value for key, value in wanted.wishes.items())
        )
    return wanted == got
