"""Which limits of logins hold at a listener, for the page that explains a login.

How many of them are used up is known to the nodes alone, each for itself.
"""

from collections.abc import Iterator
from typing import Final

from django.urls import reverse

from appliance.authhttp.lines import Line
from appliance.routing import networks
from appliance.servers.models import Listener, ServerBlock

_UNITS_MS: Final = (("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1000))


def lines(listener: Listener | None, client_ip: str) -> Iterator[Line]:
    """Tell them; of any listener there is nothing to tell.

    client_ip: may be empty, for anybody.
    """
    if listener is None:
        return
    block = listener.block
    link = reverse("admin:servers_serverblock_change", args=[block.pk])
    rows = list(_rows(block))
    if not rows:
        yield Line("Any number of logins may be tried", why="no mail_login limit is set", link=link)
        return
    if client_ip and _is_exempt(block, client_ip):
        yield Line("Its logins are not counted", why=f"{client_ip} is in mail_whitelist_ip")
        return
    for text, why in rows:
        yield Line(text, why=why, link=link)
    if block.mail_login_counts == "refused":
        yield Line("Only refused logins count, each wrong password once")
    else:
        yield Line("Every login counts, right or wrong")
    yield Line("What is over is asked to try later", why="each node counts for itself")


def _rows(block: ServerBlock) -> Iterator[tuple[str, str]]:
    if block.mail_login_ip_max:
        span = _span(block.mail_login_ip_ttl_ms)
        yield f"{block.mail_login_ip_max} logins from one address in {span}", "mail_login_ip_max"
    if block.mail_login_user_max:
        span = _span(block.mail_login_user_ttl_ms)
        yield f"{block.mail_login_user_max} logins of one user in {span}", "mail_login_user_max"


def _is_exempt(block: ServerBlock, client_ip: str) -> bool:
    named = " ".join(one for one in block.mail_whitelist_ip if one != "unix:")
    return bool(named) and networks.contains(networks.normalise(named), client_ip)


def _span(ms: int) -> str:
    for unit, length_ms in _UNITS_MS:
        if ms % length_ms == 0:
            return f"{ms // length_ms} {unit}"
    return f"{ms} ms"
