"""Text of a configuration file to statements, by nginx's own rules of tokens and lines.

crossplane, which supplies the rest of our knowledge of nginx (nginxknowledge), has a lexer too.
It is not used: it drops an unfinished statement at the end of a file without a word, takes
``"a"b`` for two words, splits words at ``}`` and at Unicode spaces, replaces octets that are not
UTF-8 and names the line a statement begins in, where nginx refuses, does not, or names another.
The tests hold the two together wherever the text is well formed.

A syntax fault is a node in the tree, at the place where it stands, so that whoever walks the tree
meets every problem in the order nginx would.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from proxycore.nginxconf.problems import Place


@dataclass(frozen=True, slots=True)
class Statement:
    """One directive with its arguments, and its block when it opens one."""

    name: str
    args: tuple[str, ...] = field(repr=False)  # may hold a secret
    place: Place
    block: "tuple[Node, ...] | None" = None
    ours: bool = False
    """Written as ``# postroad: …``, where nginx sees a comment."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Text that is not a statement; ``fatal`` unless it was only a comment."""

    message: str
    place: Place
    fatal: bool = True


Node = Statement | Fault

_SPACE: Final = re.compile(r"[ \t\r\n]*")
_COMMENT: Final = re.compile(r"#[^\n]*")
_OURS: Final = re.compile(r"#[ \t]*postroad:[ \t]*(.*)")
_OURS_OPENS: Final = "server {"
_QUOTED: Final = {
    '"': re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL),
    "'": re.compile(r"'((?:[^'\\]|\\.)*)'", re.DOTALL),
}
# `{` does not end a word behind `$`: it is how nginx writes a variable
_WORD: Final = re.compile(r"(?:\\.|\$\{*|[^ \t\r\n;{\\$])+", re.DOTALL)
_ESCAPE: Final = re.compile(r"\\([\"'\\trn])")
_MEANT: Final = {"t": "\t", "r": "\r", "n": "\n"}
_AFTER_QUOTE: Final = " \t\r\n;{)"

_BUFFER_BYTES: Final = 4096  # ngx_conf_file.c: NGX_CONF_BUFFER
_EOF_IN_STATEMENT: Final = 'unexpected end of file, expecting ";" or "}"'
_EOF_IN_BLOCK: Final = 'unexpected end of file, expecting "}"'


def read_file(path: str) -> str:
    """Give the text of a file; octets that are not UTF-8 come as surrogates. Raises OSError."""
    with open(path, "rb") as file:
        return file.read().decode("utf-8", "surrogateescape")


def parse(text: str, file: str) -> tuple[Node, ...]:
    """Parse a whole file. Total: what is not a statement is a ``Fault``."""
    return _Parser(file).parse(text, 1)


@dataclass(slots=True)
class _Open:
    """A block being read: the statement that opened it and what it holds so far."""

    nodes: list[Node]
    name: str = ""
    args: tuple[str, ...] = ()
    line: int = 0
    ours: bool = False
    """Opened in a comment of ours: what belongs to it stands in such comments, too."""


class _Parser:
    def __init__(self, file: str) -> None:
        self._file = file
        self._stack = [_Open([])]
        self._words: list[str] = []

    def parse(self, text: str, first_line: int) -> tuple[Node, ...]:
        line = first_line
        for kind, value, line in _tokens(text, first_line):
            if kind == "word":
                self._words.append(_unescape(value))
            elif kind == "comment":
                self._comment(value, line)
            elif kind == "fault":
                self._fault(value, line)
            elif kind == ";":
                self._end_statement(line)
            elif kind == "{":
                self._open_block(line)
            elif kind == "}":
                self._close_block(line)
            else:
                self._end_file(line)
        return tuple(self._stack[0].nodes)

    def _end_statement(self, line: int) -> None:
        self._leave_ours(line)
        if not self._words:
            self._fault('unexpected ";"', line)
            return
        name, *args = self._words
        self._add(Statement(name, tuple(args), Place(self._file, line)))
        self._words.clear()

    def _open_block(self, line: int) -> None:
        self._leave_ours(line)
        if not self._words:
            self._fault('unexpected "{"', line)
            self._words.append("")  # its block is read and left out
        name, *args = self._words
        self._stack.append(_Open([], name, tuple(args), line))
        self._words.clear()

    def _close_block(self, line: int) -> None:
        self._leave_ours(line)
        if self._words or len(self._stack) == 1:
            self._fault('unexpected "}"', line)
            self._words.clear()
        if len(self._stack) > 1:
            self._pop()

    def _leave_ours(self, line: int) -> None:
        """Close a block of ours before what nginx sees, for which there is no such block."""
        if self._stack[-1].ours:
            self._fault_in_comment("opens a block that no such comment closes", line)
            self._pop()

    def _end_file(self, line: int) -> None:
        if self._words:
            self._fault(_EOF_IN_STATEMENT, line)
            self._words.clear()
        elif any(not one.ours for one in self._stack[1:]):
            self._fault(_EOF_IN_BLOCK, line)
        while len(self._stack) > 1:
            self._pop()

    def _pop(self) -> None:
        top = self._stack.pop()
        if top.name:
            place = Place(self._file, top.line)
            self._add(Statement(top.name, top.args, place, tuple(top.nodes), top.ours))

    def _comment(self, text: str, line: int) -> None:
        found = _OURS.fullmatch(text.rstrip())
        if found is None:
            return
        if not self._words and found[1].rstrip() == _OURS_OPENS and not self._stack[-1].ours:
            self._stack.append(_Open([], "server", (), line, ours=True))
            return
        if not self._words and found[1].strip() == "}" and self._stack[-1].ours:
            self._pop()
            return
        inner = _Parser(self._file).parse(found[1], line)
        taken = [node for node in inner if isinstance(node, Statement) and node.block is None]
        if self._words or not inner or len(taken) != len(inner):
            self._fault_in_comment("holds no setting", line)
            return
        for node in taken:
            self._add(Statement(node.name, node.args, node.place, ours=True))

    def _fault_in_comment(self, what: str, line: int) -> None:
        place = Place(self._file, line)
        self._add(Fault(f'comment "# postroad:" {what}', place, fatal=False))

    def _fault(self, message: str, line: int) -> None:
        self._add(Fault(message, Place(self._file, line)))

    def _add(self, node: Node) -> None:
        self._stack[-1].nodes.append(node)


def _tokens(text: str, first_line: int) -> Iterator[tuple[str, str, int]]:
    """Give (kind, text, line the token ends in); the last one is of kind ``end``."""
    at, line = 0, first_line
    while True:
        space = _SPACE.match(text, at)
        assert space is not None
        at, line = space.end(), line + space[0].count("\n")
        if at == len(text):
            yield "end", "", line
            return
        char = text[at]
        if char in ";{}":
            at += 1
            yield char, char, line
        elif char == "#":
            comment = _COMMENT.match(text, at)
            assert comment is not None
            at = comment.end()
            if (fault := _too_long(comment[0])) is not None:
                yield "fault", fault, line
            yield "comment", comment[0], line
        else:
            found = (_QUOTED.get(char) or _WORD).match(text, at)
            if found is None:  # an open quote, or a backslash at the very end
                yield "word", text[at:], line
                yield "end", "", line + text.count("\n", at)
                return
            if (fault := _too_long(found[0], char if char in _QUOTED else "")) is not None:
                yield "fault", fault, line
            at, line = found.end(), line + found[0].count("\n")
            yield "word", found[1] if char in _QUOTED else found[0], line
            if char in _QUOTED and at < len(text) and text[at] not in _AFTER_QUOTE:
                yield "fault", f'unexpected "{text[at]}"', line


def _too_long(text: str, quote: str = "") -> str | None:
    """Say what nginx says of a word or comment that does not fit its buffer; None when it does.

    An opening quote is not counted, and the closing one has to fit with what comes behind it.
    """
    if len(text) * 4 < _BUFFER_BYTES:
        return None
    octets = text.encode("utf-8", "surrogateescape")
    inner = len(octets) - 2 if quote else len(octets)
    if quote and inner >= _BUFFER_BYTES:
        return f'too long parameter, probably missing terminating "{quote}" character'
    if inner >= _BUFFER_BYTES - bool(quote):
        return f'too long parameter "{text.removeprefix(quote)[:10]}..." started'
    return None


def _unescape(word: str) -> str:
    if "\\" not in word:
        return word
    return _ESCAPE.sub(lambda found: _MEANT.get(found[1], found[1]), word)
