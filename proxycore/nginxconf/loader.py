"""A configuration file, checked statement by statement and made a snapshot.

Statements are met in the order nginx meets them, and a fault does not end the walk: all problems
of a file are told in one run, and the first of them is the one nginx stops at.
"""

import errno
import glob
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Final, Self

from proxycore.contract.fields import Setting, settings_of
from proxycore.contract.snapshot import AuthHttp, Process, Server, Snapshot
from proxycore.contract.tls import BackTls, FrontTls
from proxycore.nginxconf.builder import Blame, build, duplicate, sockets
from proxycore.nginxconf.listening import ListenWish
from proxycore.nginxconf.nginxknowledge import judge
from proxycore.nginxconf.problems import ConfProblem, Place, Refused, Report
from proxycore.nginxconf.rows import Block, Context, Repeat, Row
from proxycore.nginxconf.scope import Blocks, Contest, Scope
from proxycore.nginxconf.source import Fault, Node, Statement, parse, read_file
from proxycore.nginxconf.table import BY_NAME

_BLOCKS: Final = {"events": Context.EVENTS, "mail": Context.MAIL, "imap": Context.MAIL}
_MAX_INCLUDES: Final = 64  # files inside files; nginx runs out of descriptors some time later


@dataclass(frozen=True, slots=True)
class Loaded:
    """What became of a file: a snapshot, or problems that prevent one."""

    path: str
    snapshot: Snapshot | None
    problems: list[ConfProblem] = field(default_factory=list)
    notices: list[ConfProblem] = field(default_factory=list)
    blame: Callable[[str], Place] = field(default=lambda _: Place("", 0), repr=False, compare=False)
    """Gives the place of a setting by its path in the snapshot; line 0 when no line says it."""

    def and_also(self, *, problems: Iterable[ConfProblem], notices: Iterable[ConfProblem]) -> Self:
        """Add what somebody else found out about the snapshot."""
        more = list(problems)
        return replace(
            self,
            snapshot=None if more else self.snapshot,
            problems=[*self.problems, *more],
            notices=[*self.notices, *notices],
        )


def load(path: str, *, prefix: str | None = None) -> Loaded:
    """Read a configuration file. Total: whatever the file holds, the answer is a ``Loaded``.

    prefix: directory that relative paths of ``error_log`` and ``pid`` start from; the file's own
    by default. ``include`` and TLS directives always start from the file's own, as in nginx.
    """
    report = Report()
    walk = _Walk(os.path.dirname(os.path.abspath(path)), report)
    walk.read(path, path, Place(path, 0), walk.main)
    return _built(path, walk, report, prefix or walk.directory)


def load_text(text: str, *, name: str, directory: str) -> Loaded:
    """Read the text of a configuration file of another machine; no file is opened.

    name: what it is called in problems. directory: where it is over there, for relative paths.
    ``include`` is a problem: what it names is not here, or is somebody else's.
    """
    report = Report()
    walk = _Walk(directory, report, may_include=False)
    walk.read_text(text, name, walk.main)
    return _built(name, walk, report, directory)


def _built(path: str, walk: "_Walk", report: Report, prefix: str) -> Loaded:
    blocks = Blocks(
        main=walk.main,
        mail=walk.mail,
        servers=walk.servers,
        contests=walk.contests,
        directory=walk.directory,
    )
    snapshot = build(blocks, report, prefix)
    if report.problems:
        snapshot = None
    blame = Blame(blocks)
    return Loaded(path, snapshot, report.problems, report.notices, blame)


def format_report(loaded: Loaded) -> list[str]:
    """Give the lines ``check`` shows, the verdict last, worded as ``nginx -t`` words them."""
    lines = [f"postroad: {remark}" for remark in (*loaded.notices, *loaded.problems)]
    if loaded.snapshot is None:
        return [*lines, f"postroad: configuration file {loaded.path} test failed"]
    return [
        *lines,
        f"postroad: the configuration file {loaded.path} syntax is ok",
        f"postroad: configuration file {loaded.path} test is successful",
    ]


def _declared(row: Row) -> Setting | None:
    owner, _, name = row.field.rpartition(".")
    cls = _OWNERS.get(owner)
    return settings_of(cls).get(name) if cls else None


_OWNERS: Final[dict[str, type]] = {
    "": Server,
    "auth_http": AuthHttp,
    "front_tls": FrontTls,
    "back_tls": BackTls,
    "process": Process,
}


class _Walk:
    def __init__(self, directory: str, report: Report, *, may_include: bool = True) -> None:
        self.directory = directory
        self._may_include = may_include
        self.main = Scope(Context.MAIN)
        self.mail = Scope(Context.MAIL)
        self.servers: list[Scope] = []
        self.contests: list[Contest] = []
        self._claimed: set[str] = set()
        self._zones: dict[str, str] = {}
        self._report = report
        self._depth = 0

    # --- files ----------------------------------------------------------------------------------

    def read(self, path: str, shown: str, asked_at: Place, scope: Scope) -> None:
        """Read one file into a scope; ``asked_at`` is blamed when it cannot be opened."""
        try:
            if self._depth == _MAX_INCLUDES:
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
            text = read_file(path)
        except ValueError as error:  # a NUL in the path
            self._report.error(f'open() "{shown}" failed ({error})', asked_at)
            return
        except OSError as error:
            reason = f"{error.errno}: {os.strerror(error.errno or 0)}"
            self._report.error(f'open() "{shown}" failed ({reason})', asked_at)
            return
        self._depth += 1
        self.read_text(text, shown, scope)
        self._depth -= 1

    def read_text(self, text: str, shown: str, scope: Scope) -> None:
        """Take the text of a file into a scope."""
        self._walk(parse(text, shown), scope)

    def _include(self, statement: Statement, scope: Scope) -> None:
        if statement.block is not None:
            self._report.error('directive "include" is not terminated by ";"', statement.place)
            return
        if len(statement.args) != 1:
            self._report.error(
                'invalid number of arguments in "include" directive', statement.place
            )
            return
        if not self._may_include:
            text = f'"{statement.args[0]}" is not here: put its content in the place of "include"'
            self._report.error(text, statement.place)
            return
        pattern = os.path.join(self.directory, statement.args[0])
        is_pattern = any(char in pattern for char in "*?[")
        for path in sorted(glob.glob(pattern)) if is_pattern else [pattern]:
            self.read(path, path, statement.place, scope)

    # --- statements -----------------------------------------------------------------------------

    def _walk(self, nodes: tuple[Node, ...], scope: Scope) -> None:
        for node in nodes:
            if isinstance(node, Fault):
                self._fault(node)
            elif node.name == "include" and not node.ours:
                self._include(node, scope)
            else:
                try:
                    self._take(node, scope)
                except Refused as refused:
                    self._report.error(str(refused), node.place)

    def _fault(self, fault: Fault) -> None:
        if fault.fatal:
            self._report.error(fault.message, fault.place)
        else:
            self._report.warn(fault.message, fault.place)

    def _take(self, statement: Statement, scope: Scope) -> None:
        try:
            row = self._find(statement, scope)
        except Refused as refused:
            self._report.error(str(refused), statement.place)
            self._skip(statement)
            return
        key = row.field or row.name
        if row.repeat is Repeat.REFUSE and key in scope.places:
            raise Refused(f'"{statement.name}" directive is duplicate')
        if row.remark:
            self._remark(row, statement, again=key in scope.places)
        scope.places.setdefault(key, statement.place)
        if row.block is not None:
            self._enter(row, statement)
        elif row.kind is not None:
            self._set(row, row.kind.parse(statement, self._report), statement, scope)

    def _find(self, statement: Statement, scope: Scope) -> Row:
        name, rows = statement.name, BY_NAME.get(statement.name)
        if rows is None:
            raise Refused(judge(name, scope.context))
        row = next((row for row in rows if scope.context in row.contexts), None)
        if row is None:
            raise Refused(f'"{name}" directive is not allowed here')
        if statement.ours and not (row.ours or row.name == "server" or scope.ours):
            raise Refused(f'"{name}" directive is not one for a "# postroad:" comment')
        if row.block is None and statement.block is not None:
            raise Refused(f'directive "{name}" is not terminated by ";"')
        if row.block is not None and statement.block is None:
            raise Refused(f'directive "{name}" has no opening "{{"')
        if len(statement.args) < row.least or (
            row.most is not None and len(statement.args) > row.most
        ):
            raise Refused(f'invalid number of arguments in "{name}" directive')
        if any("\udc80" <= char <= "\udcff" for word in statement.args for char in word):
            raise Refused(f'"{name}" directive has a value that is not UTF-8')
        return row

    def _skip(self, statement: Statement) -> None:
        """Tell the faults of a block whose statements nobody asked about."""
        pending = list(reversed(statement.block or ()))
        while pending:
            node = pending.pop()
            if isinstance(node, Fault):
                if node.fatal:
                    self._fault(node)
            else:
                pending.extend(reversed(node.block or ()))

    def _remark(self, row: Row, statement: Statement, *, again: bool) -> None:
        if row.deprecated:
            self._report.warn(row.remark, statement.place)
        elif not again and not (row.name == "load_module" and _is_mail_module(statement)):
            self._report.notice(f'"{statement.name}" {row.remark}', statement.place)

    def _enter(self, row: Row, statement: Statement) -> None:
        block = statement.block or ()
        if row.block is Block.SKIPPED:
            self._skip(statement)
        elif row.name == "server":
            scope = Scope(Context.SERVER, statement.place, ours=statement.ours)
            self.servers.append(scope)
            self._walk(block, scope)
            is_whole = not any(isinstance(node, Fault) and node.fatal for node in block)
            if "listens" not in scope.places and is_whole:
                self._report.error('no "listen" is defined for server', statement.place)
        elif _BLOCKS[row.name] is Context.EVENTS:
            # its settings are the process's; only what may stand in it differs
            events = Scope(Context.EVENTS, values=self.main.values)
            self._walk(block, events)
        else:
            self._walk(block, self.mail)

    def _set(self, row: Row, value: Any, statement: Statement, scope: Scope) -> None:
        if not row.field:
            return
        self._check_range(row, value)
        self._check_conflict(row.field, value, scope)
        if row.field == "front_tls.ssl_session_cache":
            self._claim_zones(value)
        if row.field == "listens":
            self._claim(value, scope)
        before = scope.values.get(row.field, ())
        if row.repeat is Repeat.APPEND:
            value = (*before, *value)
        elif row.repeat is Repeat.UNITE:
            for word in value:
                if word in before:
                    self._report.warn(f'duplicate value "{word}"', statement.place)
            value = tuple(dict.fromkeys((*before, *value)))
        scope.values[row.field] = value

    def _claim(self, wishes: tuple[ListenWish, ...], scope: Scope) -> None:
        """Complain of a socket that another ``listen`` has; without a port it is not known yet."""
        for wish in wishes:
            for listen in sockets(wish):
                if listen.key in self._claimed:
                    problem = self._report.error(duplicate(listen), wish.place)
                    self.contests.append(Contest(problem, scope, listen.key))
                self._claimed.add(listen.key)

    def _claim_zones(self, words: tuple[str, ...]) -> None:
        """Refuse a shared cache of another size than it has elsewhere."""
        for word in words:
            if not word.startswith("shared:"):
                continue
            _, name, size = word.split(":")
            known = self._zones.setdefault(name, size)
            if known != size:
                raise Refused(
                    f'the size {size} of shared memory zone "{name}" '
                    f"conflicts with already declared size {known}"
                )

    def _check_conflict(self, field: str, value: Any, scope: Scope) -> None:
        """Refuse STARTTLS where all is TLS, in the words nginx had as long as it had ``ssl``."""
        starttls = scope.values.get("front_tls.starttls", "off")
        if field == "front_tls.ssl" and value and starttls != "off":
            raise Refused('"starttls" directive conflicts with "ssl on"')
        if field == "front_tls.starttls" and value != "off" and scope.values.get("front_tls.ssl"):
            raise Refused('"ssl" directive conflicts with "starttls"')

    def _check_range(self, row: Row, value: Any) -> None:
        declared = _declared(row)
        if declared is None or type(value) is not int:
            return
        if declared.minimum is not None and value < declared.minimum:
            raise Refused(
                f'"{row.name}" directive invalid value, it must be at least {declared.minimum}'
            )
        if declared.maximum is not None and value > declared.maximum:
            raise Refused(
                f'"{row.name}" directive invalid value, it must be at most {declared.maximum}'
            )


def _is_mail_module(statement: Statement) -> bool:
    return os.path.basename(statement.args[0]) == "ngx_mail_module.so"
