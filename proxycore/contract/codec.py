"""Contract dataclasses to and from plain JSON data, every problem reported with its path.

``decode`` is total over JSON: whatever comes in, the answer is an object or ``Invalid`` that
lists all problems, never another exception. Paths read like ``servers[0].listens[1].port``.
"""

import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from enum import Enum
from functools import lru_cache
from math import isfinite
from types import NoneType, UnionType
from typing import Any, Final, TypeVar, Union, get_args, get_origin, get_type_hints

from proxycore.contract.fields import Setting, settings_of
from proxycore.contract.secret import Secret

T = TypeVar("T")

_WRONG_FORM: Final = "has a form that is not allowed"
_INT_LIMIT: Final = 2**63
_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a document: where, and what."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class Invalid(ValueError):
    """The document is not acceptable; ``problems`` says everything that is wrong with it."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = problems


def encode(value: Any, *, reveal: bool = False) -> Any:
    """Give the plain JSON data of a contract value.

    reveal: write secrets in clear, for the link to a node or its state file; without it they are
    masked, so that a document made for eyes cannot leak by oversight.
    """
    if isinstance(value, Secret):
        return value.reveal() if reveal else Secret.MASK
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: encode(getattr(value, f.name), reveal=reveal) for f in fields(value)}
    if isinstance(value, tuple | list):
        return [encode(item, reveal=reveal) for item in value]
    if isinstance(value, Mapping):
        return {str(key): encode(item, reveal=reveal) for key, item in value.items()}
    return value


def decode(cls: type[T], plain: Any) -> T:
    """Build ``cls`` from plain JSON data, or raise ``Invalid`` with every problem found."""
    problems: list[Problem] = []
    value = _decode_dataclass(cls, plain, "", problems)
    if problems:
        raise Invalid(problems)
    return value  # type: ignore[no-any-return]


@lru_cache(maxsize=256)
def _hints(cls: type) -> dict[str, Any]:
    return get_type_hints(cls)


def _decode_dataclass(cls: type, plain: Any, path: str, problems: list[Problem]) -> Any:
    if not isinstance(plain, Mapping):
        problems.append(Problem(path, "must be an object"))
        return None
    prefix = f"{path}." if path else ""
    hints, declared = _hints(cls), settings_of(cls)
    values: dict[str, Any] = {}
    found = len(problems)
    for f in fields(cls):
        here = prefix + f.name
        if f.name in plain:
            value = _decode_value(hints[f.name], plain[f.name], here, problems)
            if f.name in declared and value is not None:
                _check(declared[f.name], value, here, problems)
            values[f.name] = value
        elif f.default is MISSING and f.default_factory is MISSING:
            problems.append(Problem(here, "is required"))
    problems.extend(
        Problem(prefix + str(name), "is not a known setting") for name in plain if name not in hints
    )
    if len(problems) > found:
        return None
    return cls(**values)


def _decode_value(  # noqa: PLR0911  (one return per kind of value reads best)
    hint: Any, plain: Any, path: str, problems: list[Problem]
) -> Any:
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        return _decode_union(hint, plain, path, problems)
    if origin is tuple:
        return _decode_tuple(hint, plain, path, problems)
    if origin is dict:
        return _decode_dict(hint, plain, path, problems)
    if isinstance(hint, type) and is_dataclass(hint):
        return _decode_dataclass(hint, plain, path, problems)
    if hint is Any:
        return plain
    if hint is Secret:
        return Secret(_scalar(str, plain, path, problems) or "")
    if isinstance(hint, type) and issubclass(hint, Enum):
        try:
            return hint(plain)
        except ValueError:
            allowed = ", ".join(str(member.value) for member in hint)
            problems.append(Problem(path, f"must be one of: {allowed}"))
            return None
    return _scalar(hint, plain, path, problems)


def _decode_union(hint: Any, plain: Any, path: str, problems: list[Problem]) -> Any:
    if plain is None and NoneType in get_args(hint):
        return None
    (inner,) = (arg for arg in get_args(hint) if arg is not NoneType)
    return _decode_value(inner, plain, path, problems)


def _decode_tuple(hint: Any, plain: Any, path: str, problems: list[Problem]) -> Any:
    if not isinstance(plain, list | tuple):
        problems.append(Problem(path, "must be a list"))
        return None
    args = get_args(hint)
    if len(args) == 2 and args[1] is Ellipsis:
        inners = [args[0]] * len(plain)
    else:
        inners = list(args)
        if len(plain) != len(inners):
            problems.append(Problem(path, f"must have {len(inners)} items"))
            return None
    return tuple(
        _decode_value(inner, item, f"{path}[{i}]", problems)
        for i, (inner, item) in enumerate(zip(inners, plain, strict=True))
    )


def _decode_dict(hint: Any, plain: Any, path: str, problems: list[Problem]) -> Any:
    if not isinstance(plain, Mapping):
        problems.append(Problem(path, "must be an object"))
        return None
    _, inner = get_args(hint)
    return {
        str(key): _decode_value(inner, item, f"{path}.{key}", problems)
        for key, item in plain.items()
    }


def _scalar(hint: Any, plain: Any, path: str, problems: list[Problem]) -> Any:
    # bool is an int in Python and never one in a document
    if type(plain) is int and hint in (int, float) and not -_INT_LIMIT <= plain < _INT_LIMIT:
        problems.append(Problem(path, "must fit in 64 bits"))
        return None
    if hint is float and type(plain) in (int, float) and isfinite(plain):
        return float(plain)
    if isinstance(plain, str) and _SURROGATE.search(plain):
        # JSON can write half a character, which no file, log or hash could hold
        problems.append(Problem(path, "must be text"))
        return None
    if type(plain) is hint and hint is not float:
        return plain
    words = {str: "text", int: "a whole number", bool: "true or false", float: "a number"}
    problems.append(Problem(path, f"must be {words.get(hint, getattr(hint, '__name__', hint))}"))
    return None


def _check(declared: Setting, value: Any, path: str, problems: list[Problem]) -> None:
    if type(value) is int:
        if declared.minimum is not None and value < declared.minimum:
            problems.append(Problem(path, f"must be at least {declared.minimum}"))
        if declared.maximum is not None and value > declared.maximum:
            problems.append(Problem(path, f"must be at most {declared.maximum}"))
        return
    words = value if isinstance(value, tuple) else (value,)
    for i, word in enumerate(words):
        here = f"{path}[{i}]" if isinstance(value, tuple) else path
        text = word.reveal() if isinstance(word, Secret) else word
        if not isinstance(text, str):
            continue
        if declared.choices and text not in declared.choices:
            problems.append(Problem(here, f"must be one of: {', '.join(declared.choices)}"))
        if declared.pattern and not re.fullmatch(declared.pattern, text, re.DOTALL):
            wrong = f"must be {declared.allowed}" if declared.allowed else _WRONG_FORM
            problems.append(Problem(here, wrong))
        if declared.max_length is not None and len(text) > declared.max_length:
            problems.append(Problem(here, f"must not be longer than {declared.max_length}"))
