"""The control link's vocabulary, node ⇄ appliance, over one WebSocket (ADR-0006).

Every frame is one JSON object with a ``type``. Frames may be lost with their connection, so each
side can rebuild the other's picture: the node says in ``Hello`` and in every ``Heartbeat`` what
it runs; the appliance compares and, if the node is behind, sends ``Apply`` again.

    node                                  appliance
     │ ── Hello ─────────────────────────────► │   on connect
     │ ◄───────────────── Apply(revision N) ── │   when the node does not run N
     │ ── Ack(N) or Nack(N, problems) ───────► │
     │ ◄──────── Check(candidate, snapshot) ── │   before anything is published (ADR-0024)
     │ ── Checked(candidate, problems, …) ───► │
     │ ── Heartbeat ──────────────────────────► │   every heartbeat_s
     │ ── Sessions(full), Sessions(changes) ──► │   live sessions
     │ ── Stats(totals) ──────────────────────► │
     │ ◄── Invalidate(generation, logins) ───── │   routes or accounts changed
     │ ◄──────── Tickets(number, keys) ──────── │   when the node has others
     │ ◄─── Challenges(digest, …, answers) ──── │   when it answers for other orders of certificates
     │ ◄──────── Drain(is_wanted) ───────────── │   when it does not do so
     │ ◄──────── Kick(command, sessions) ────── │
     │ ── CommandResult(command, …) ──────────► │
     │ ◄──────── Survey(number, most) ───────── │   who has not logged in? (ADR-0038)
     │ ── Waiting(number, sessions, …) ───────► │
     │ ── Records(number, sessions, logins) ──► │   ended sessions (ADR-0031)
     │ ◄──────────────── RecordsTaken(number) ── │   they are stored; the next batch may come
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from proxycore.contract.codec import Invalid, Problem, decode, encode
from proxycore.contract.secret import Secret
from proxycore.contract.session import SessionBytes, SessionRecord, WaitingSession

LINK_VERSION: Final = 2
"""Version of this vocabulary. The appliance refuses a node of another one, saying so."""

HEARTBEAT_S: Final = 1.0
"""How often a node reports. Small, so that what a lost doorbell costs is one second."""


UNTOLD: Final = -1
"""No generation: of a cache whose owner is told of no changes, and that therefore keeps nothing."""

MOST_WAITING: Final = 2_000
"""Sessions before login that a node tells of at most, however many are asked for."""

MOST_ADDRESSES: Final = 50
"""Addresses of which a node tells how many sessions before login they have."""

MAX_LOGINS: Final = 200
"""Logins in one ``Invalidate``; when more have changed, everything is forgotten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingProblem:
    """One setting a node cannot accept."""

    path: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """First frame of a node."""

    version: str
    boot_id: str
    hostname: str
    workers: int
    revision: int = 0
    digest: str = ""
    """Revision and digest the node runs; 0 and empty when it runs none."""
    generation: int = 0
    """Routing generation the node's auth cache is valid for."""
    tickets: int = 0
    """Number of the session ticket keys it has of the appliance; 0: none."""
    challenges: str = ""
    """Digest of the ``Challenges`` it answers by; empty: it answers nobody."""
    is_draining: bool = False
    """It accepts no connections, as ``Drain`` asks; sessions go on."""
    load: float | None = None
    """Load average of a minute of its host."""
    clock: float = 0.0
    """Its time, in seconds since the epoch; 0: not told."""
    link_version: int = LINK_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """The node's state, repeated; whatever was lost is mended from it."""

    boot_id: str
    revision: int
    digest: str
    generation: int
    workers: int
    sessions: int
    tickets: int = 0
    challenges: str = ""
    """As in ``Hello``."""
    challenge_problems: tuple[SettingProblem, ...] = ()
    """Which addresses of the last ``Challenges`` it cannot listen on; it tries again by itself."""
    is_draining: bool = False
    load: float | None = None
    clock: float = 0.0
    """As in ``Hello``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ack:
    """The revision is active in every worker, and on disk unless ``warning`` says otherwise."""

    revision: int
    digest: str
    warning: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Nack:
    """The revision was not activated; what ran before still runs.

    What only the machine is in the way of (a taken port) the node tries again by itself, until it
    is told to run another one: ``Ack`` and the heartbeat say when it runs.
    """

    revision: int
    problems: tuple[SettingProblem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a candidate would meet on this host. Nothing was changed to find it out."""

    candidate: int
    digest: str
    problems: tuple[SettingProblem, ...] = ()
    """Why an ``Apply`` of it would be refused now."""
    warnings: tuple[SettingProblem, ...] = ()
    """What would not keep it from being applied, and an operator should know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sessions:
    """Live sessions: the whole list when ``full``, else what changed since the last frame."""

    boot_id: str
    full: bool
    opened: tuple[SessionRecord, ...] = ()
    counted: tuple[SessionBytes, ...] = ()
    closed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """Cumulative totals by series name (contract.stats) since ``boot_id`` began."""

    boot_id: str
    seq: int
    values: dict[str, int]
    histograms: dict[str, Any] = field(default_factory=dict)
    """By series name: rows of numbers as contract.stats has them."""
    age_s: float = 0.0
    """How long ago this was so; what was counted while there was no link is told afterwards."""
    uptime_s: float = 0.0
    """How old the boot was then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """A batch of what has ended, for the history. Sent again until ``RecordsTaken`` arrives."""

    boot_id: str
    number: int
    """Of the batch, from 1; the next one is sent when this one is taken."""
    sessions: tuple[dict[str, Any], ...] = ()
    """Plain forms of contract.access.AccessRecord."""
    logins: tuple[dict[str, Any], ...] = ()
    """Plain forms of contract.access.FailedLogin."""
    dropped: int = 0
    """Records lost for want of room since ``boot_id`` began: a total, like all that is counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """The sessions that have not logged in: how many, and some of them."""

    number: int
    """Of the ``Survey``."""
    total: int
    by_standing: dict[str, int]
    """By ``session.Standing``; makes ``total``."""
    by_address: dict[str, int]
    """Of the addresses that have most, as they are counted: an IPv6 client by its /64."""
    sessions: tuple[WaitingSession, ...] = ()
    """The oldest. When there are more than were asked for, only a few of each address, so that one
    that has thousands does not hide all others."""
    mute: int = 0
    """Workers that did not answer in time; theirs are missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandResult:
    """What became of a command: how many sessions it reached."""

    command: str
    affected: int
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Apply:
    """Run this revision. ``snapshot`` is the plain form of contract.snapshot.Snapshot."""

    revision: int
    digest: str
    snapshot: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Say what this configuration, which nobody has published, would meet; do not run it.

    Asked again until ``Checked`` arrives, so it is safe to repeat.
    """

    candidate: int
    """Number of the question, which is not one of a revision."""
    digest: str
    snapshot: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Invalidate:
    """Forget cached verdicts: routes or accounts are now of this generation.

    A node whose verdicts are of generation ``since`` forgets those about ``logins`` alone, in any
    spelling; every other node forgets everything.
    """

    generation: int
    since: int = UNTOLD
    logins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordsTaken:
    """This batch of records is in the database, or will never be: it need not be sent again."""

    boot_id: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Drain:
    """Accept no connections from now on, or accept them again. Open sessions go on."""

    is_wanted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Kick:
    """Disconnect sessions."""

    command: str
    sessions: tuple[str, ...]
    waiting_from: str = ""
    """Besides, all that have not logged in of this address, as ``Waiting`` counts them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """Say who is connected and has not logged in. Nothing is kept for it: it may get lost."""

    number: int
    most: int
    """Sessions to describe."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tickets:
    """Seal and open session tickets with these keys, which all nodes have (ADR-0028)."""

    number: int
    """Of this set of keys; every other set has another."""
    keys: tuple[Secret, ...]
    """80 octets in base64 each. The first encrypts. The last is the next one that will: it is known
    everywhere before anybody uses it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAddress:
    """A socket for plain HTTP."""

    address: str
    """IP address, or ``*`` for any IPv4 address."""
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenges:
    """Answer an authority's questions by HTTP (RFC 8555 §8.3), on these sockets and no others."""

    digest: str
    listen: tuple[HttpAddress, ...]
    """Empty: answer nobody, and close the sockets."""
    answers: dict[str, str]
    """Key authorization by token."""


NodeMessage = (
    Hello | Heartbeat | Ack | Nack | Checked | Sessions | Stats | CommandResult | Records | Waiting
)
ApplianceMessage = (
    Apply | Check | Invalidate | Tickets | Challenges | Drain | Kick | Survey | RecordsTaken
)
Message = NodeMessage | ApplianceMessage

_TYPES: Final[dict[str, type]] = {
    "hello": Hello,
    "heartbeat": Heartbeat,
    "ack": Ack,
    "nack": Nack,
    "checked": Checked,
    "sessions": Sessions,
    "stats": Stats,
    "command_result": CommandResult,
    "records": Records,
    "waiting": Waiting,
    "apply": Apply,
    "check": Check,
    "invalidate": Invalidate,
    "tickets": Tickets,
    "challenges": Challenges,
    "drain": Drain,
    "kick": Kick,
    "survey": Survey,
    "records_taken": RecordsTaken,
}
_NAMES: Final = {cls: name for name, cls in _TYPES.items()}


def to_frame(message: Message) -> dict[str, Any]:
    """Give the JSON object of a message, for the link alone: secrets are in clear."""
    return {"type": _NAMES[type(message)], **encode(message, reveal=True)}


def records_frame(
    boot_id: str, number: int, dropped: int, sessions: Iterable[str], logins: Iterable[str]
) -> str:
    """Give the frame of a ``Records`` whose records are JSON already: they are not read for it."""
    return (
        f'{{"type":"records","boot_id":"{boot_id}","number":{number},"dropped":{dropped},'
        f'"sessions":[{",".join(sessions)}],"logins":[{",".join(logins)}]}}'
    )


def from_frame(plain: Any) -> Message:
    """Read a message. Raises ``Invalid`` for anything that is not one."""
    name = plain.get("type") if isinstance(plain, dict) else None
    if not isinstance(name, str) or name not in _TYPES:
        raise Invalid([Problem("type", "is not a known message")])
    fields = {key: value for key, value in plain.items() if key != "type"}
    message: Message = decode(_TYPES[name], fields)
    return message
