"""What each kind of route matches, without a database.

Case (spec seed-listings §3): user and domain compare A–Z as a–z, since mail servers do; first
letters and patterns are taken as written, since listing 15-2 sends ``Alice`` elsewhere than
``alice``. Letters beyond ASCII are never folded: that would make two users one.
"""

import re
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from appliance.routing import patterns
from appliance.routing.choices import LoginRewrite, MatchKind

_FOLD: Final = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}

_RANGE: Final = re.compile(r"(?=[a-z]-[a-z]|[A-Z]-[A-Z]|[0-9]-[0-9])(.)-(.)")


def fold(text: str) -> str:
    """Make A–Z small and leave everything else."""
    return text.translate(_FOLD)


@dataclass(frozen=True, slots=True)
class Login:
    """A login as rules look at it. Any bytes have one; such as are not UTF-8 match no name."""

    text: str
    user: str
    """Folded login, for comparison with names; empty when no stored name can equal it."""
    domain: str
    """Folded part behind the last ``@``; empty without one."""

    @classmethod
    def read(cls, raw: bytes) -> "Login":
        """Read the decoded bytes of an Auth-User header."""
        text = raw.decode("utf-8", "surrogateescape")
        try:
            raw.decode("utf-8")
        except UnicodeDecodeError:
            return cls(text, "", "")
        if "\x00" in text:
            # PostgreSQL has no text with NUL, so no account or route has one either
            return cls(text, "", "")
        user = fold(text)
        return cls(text, user, user.rpartition("@")[2] if "@" in user else "")

    @property
    def raw(self) -> bytes:
        """Give the bytes it was read from."""
        return self.text.encode("utf-8", "surrogateescape")

    def under(self, domain: str) -> "Login":
        """Give the same user of another domain."""
        return Login.read(f"{self.text.rpartition('@')[0]}@{domain}".encode())

    @property
    def hundredth(self) -> int:
        """Give the place from 0 to 99 that this login has in every percentage, for ever."""
        text = self.user.encode() or self.raw
        return int.from_bytes(blake2b(text, digest_size=8).digest()) % 100


def matches(kind: str, value: str, login: Login) -> bool:
    """Tell whether a route of this kind and value fits the login."""
    if kind == MatchKind.USER:
        return bool(login.user) and login.user == value
    if kind == MatchKind.DOMAIN:
        return bool(login.domain) and login.domain == value
    if kind == MatchKind.PREFIX:
        return login.user.startswith(value)
    if kind == MatchKind.LETTERS:
        return bool(login.text) and login.text[0] in value
    if kind == MatchKind.PATTERN:
        return patterns.matches(value, login.text)
    return kind == MatchKind.DEFAULT


def normalise(kind: str, value: str) -> str:
    """Give a route's value as it is stored. Raises ValueError that says what is wrong."""
    value = value.strip()
    if kind in (MatchKind.USER, MatchKind.PREFIX):
        value = fold(value)
    elif kind == MatchKind.DOMAIN:
        value = normalise_domain(value)
    elif kind == MatchKind.LETTERS:
        value = _letters(value)
    elif kind == MatchKind.PATTERN:
        patterns.check(value)
    if kind == MatchKind.DEFAULT and value:
        raise ValueError("Everybody else needs no value.")
    if kind != MatchKind.DEFAULT and not value:
        raise ValueError("This kind of route needs a value.")
    return value


def normalise_domain(text: str) -> str:
    """Give a domain as it is stored. Raises ValueError."""
    domain = fold(text.strip().removeprefix("@"))
    if not domain.isprintable() or "@" in domain or " " in domain:
        raise ValueError("Give one domain, for instance example.com.")
    return domain


def rewrite(how: str, to: str, raw: bytes) -> bytes:
    """Give the login that the mail server is told. One that would be empty stays as it is."""
    if how == LoginRewrite.STRIP:
        return raw.rpartition(b"@")[0] or raw
    if how == LoginRewrite.ADD:
        return raw if b"@" in raw else raw + b"@" + to.encode()
    return to.encode() if how == LoginRewrite.FIXED else raw


def _letters(text: str) -> str:
    """Give the letters of ``a c-f``, each once; a hyphen that is meant itself stands last."""
    text = text.replace(",", " ").replace(" ", "")
    meant = text.endswith("-")
    found = _RANGE.sub(_spell_out, text.removesuffix("-"))
    if "-" in found:
        raise ValueError("Write a range as a-f or 0-9, and a hyphen that is meant itself last.")
    return "".join(dict.fromkeys(found)) + ("-" if meant else "")


def _spell_out(found: "re.Match[str]") -> str:
    first, last = map(ord, found.groups())
    if first > last:
        raise ValueError(f"{found[0]} runs backwards.")
    return "".join(map(chr, range(first, last + 1)))


def explain(kind: str, value: str) -> str:
    """Say in words what a route looks for."""
    return {
        MatchKind.USER: f"the user is {value}",
        MatchKind.DOMAIN: f"the domain is {value}",
        MatchKind.PREFIX: f"the login begins with {value}",
        MatchKind.LETTERS: f"the first letter is one of {' '.join(value)}",
        MatchKind.PATTERN: f"the login fits {value}",
        MatchKind.DEFAULT: "everybody else",
    }[MatchKind(kind)]
