"""Read routing: the generation, an account, the routes that can matter for a login."""

from django.db.models import Q

from appliance.routing.choices import MatchKind
from appliance.routing.models import Account, Generation, Route
from appliance.routing.rules import Login
from proxycore.contract.protocol import Protocol

GENERATION_ROW = 1


def generation() -> int:
    """Give the number that grows with every change of hosts, accounts or routes."""
    number = Generation.objects.filter(pk=GENERATION_ROW).values_list("number", flat=True).first()
    return number or 0


def find_account(login: Login) -> Account | None:
    """Give the account of a login with its fixed mail host, in one query."""
    return Account.objects.select_related("mail_host").filter(login=login.user).first()


def candidates(login: Login, protocol: Protocol) -> list[Route]:
    """Give the enabled routes that may fit, in order, in one query.

    Exact users and domains, of which there can be very many, are compared by the database.
    """
    return list(
        Route.objects.select_related("mail_host").filter(
            Q(match=MatchKind.USER, value=login.user)
            | Q(match=MatchKind.DOMAIN, value=login.domain)
            | Q(match__in=(MatchKind.LETTERS, MatchKind.PATTERN, MatchKind.DEFAULT)),
            protocol__in=("", protocol.value),
            enabled=True,
        )
    )
