"""What one row of the table of directives says, and short ways to write one."""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from proxycore.nginxconf.values import Kind


class Context(Enum):
    """Where a directive may stand."""

    MAIN = "main"
    EVENTS = "events"
    MAIL = "mail"
    SERVER = "server"


class Repeat(Enum):
    """What a second use of a directive in one block does."""

    REFUSE = "refuse"
    REPLACE = "replace"
    APPEND = "append"
    UNITE = "unite"


class Block(Enum):
    """What the block of a block directive is."""

    READ = "read"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One directive in the contexts where it means the same."""

    name: str
    contexts: frozenset[Context]
    least: int = 1
    most: int | None = 1
    """Fewest and most arguments; None is any number."""
    kind: Kind | None = None
    """None: it has no effect (see ``remark``)."""
    field: str = ""
    """Setting of Server, or with a dotted prefix of AuthHttp, FrontTls, BackTls or Process; what
    has one field is one thing under two names."""
    repeat: Repeat = Repeat.REFUSE
    block: Block | None = None
    remark: str = ""
    """Told when it is used: why it has no effect, or what to write instead."""
    deprecated: bool = False
    """The remark is a warning and the directive has its effect."""
    ours: bool = False
    """Unknown to nginx; may also be written as a comment ``# postroad: …``."""


MAIN: Final = frozenset({Context.MAIN})
EVENTS: Final = frozenset({Context.EVENTS})
MAIL: Final = frozenset({Context.MAIL})
SERVER: Final = frozenset({Context.SERVER})
BOTH: Final = MAIL | SERVER


def one(name: str, contexts: frozenset[Context], kind: Kind, field: str) -> Row:
    return Row(name=name, contexts=contexts, kind=kind, field=field)


def many(
    name: str, kind: Kind, field: str, repeat: Repeat = Repeat.APPEND, remark: str = ""
) -> Row:
    return Row(
        name=name,
        contexts=BOTH,
        most=None,
        kind=kind,
        field=field,
        repeat=repeat,
        remark=remark,
        deprecated=bool(remark),
    )


def idle(name: str, contexts: frozenset[Context], remark: str, kind: Kind | None = None) -> Row:
    return Row(name=name, contexts=contexts, kind=kind, remark=remark)


def ours(name: str, contexts: frozenset[Context], kind: Kind, field: str) -> Row:
    return Row(name=name, contexts=contexts, kind=kind, field=field, ours=True)
