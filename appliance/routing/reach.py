"""Which routes no login ever reaches, because an earlier one always fits first."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from appliance.routing.choices import MailProtocol, MatchKind
from appliance.routing.models import Route


@dataclass(slots=True)
class _Seen:
    """What earlier routes of one protocol take."""

    everybody: Route | None = None
    letters: dict[str, Route] = field(default_factory=dict)
    exact: dict[tuple[str, str], Route] = field(default_factory=dict)

    def taker_of(self, route: Route) -> Route | None:
        """Give an earlier route that takes every login this one could."""
        if self.everybody is not None:
            return self.everybody
        same = self.exact.get((route.match, route.value))
        if same is not None:
            return same
        if route.match == MatchKind.USER:
            return self._taker_of_user(route.value)
        if route.match == MatchKind.LETTERS:
            return self._taker_of_letters(route.value)
        return None

    def _taker_of_user(self, user: str) -> Route | None:
        domain = (
            self.exact.get((MatchKind.DOMAIN, user.rpartition("@")[2])) if "@" in user else None
        )
        # a user is compared without case, a first letter is not
        return domain or self._taker_of_letters({user[0], user[0].upper()})

    def _taker_of_letters(self, letters: Iterable[str]) -> Route | None:
        takers = [self.letters.get(letter) for letter in letters]
        return takers[-1] if takers and all(takers) else None

    def add(self, route: Route) -> None:
        """Remember what a route takes."""
        if route.match == MatchKind.DEFAULT:
            self.everybody = self.everybody or route
        elif route.match == MatchKind.LETTERS:
            for letter in route.value:
                self.letters.setdefault(letter, route)
        self.exact.setdefault((route.match, route.value), route)


def unreachable(routes: Iterable[Route]) -> dict[int, Route]:
    """Give by primary key of each enabled route that is never reached the one that goes before.

    routes: all of them, in the order they are tried.
    """
    seen = {protocol.value: _Seen() for protocol in MailProtocol}
    found: dict[int, Route] = {}
    for route in routes:
        if not route.enabled:
            continue
        concerned = [seen[route.protocol]] if route.protocol else list(seen.values())
        takers = [one.taker_of(route) for one in concerned]
        if all(takers) and takers[-1] is not None:
            found[route.pk] = takers[-1]
            continue
        if _takes_all(route):
            for one in concerned:
                one.add(route)
    return found


def _takes_all(route: Route) -> bool:
    """Tell whether it takes every login that its value fits, at any time."""
    return route.percent == 100 and route.starts_at is None and route.ends_at is None
