"""What probes found of a mail host, for the page that explains a login."""

from collections.abc import Iterator

from django.urls import reverse

from appliance.authhttp.lines import GOOD, HELD, Line
from appliance.routing.choices import HealthState
from appliance.routing.health import policy, queries
from appliance.routing.models import MailHost
from proxycore.contract.protocol import Protocol


def lines(host: MailHost, protocol: Protocol) -> Iterator[Line]:
    """Tell whether it answers; nothing of one that is not probed."""
    rows = [row for row in queries.health(host) if row.protocol == protocol.value]
    if not rows:
        return
    link = reverse("backend", args=(host.pk,))
    state = policy.together(row.state for row in rows)
    bad = next((row for row in rows if not row.is_good), None)
    why = bad.reason if bad is not None else ""
    if state is HealthState.UP:
        yield Line("Answers probes" if not why else "Answers probes in part", GOOD, why, link)
    elif state is HealthState.DOWN:
        yield Line("Does not answer probes", HELD, why, link)
        if not host.is_avoided(protocol):
            yield Line("Nodes try all the same", why="use health: observe only", link=link)
    else:
        yield Line("Has not answered any probe yet", HELD, why, link)
