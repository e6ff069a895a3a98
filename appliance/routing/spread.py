"""Which of several mail hosts a login goes to: by weight, and always the same one.

Weighted rendezvous hashing: each host draws a number from the login and its own key, and the best
one wins. A host that is added or taken away moves only the logins it wins or has won.
"""

import math
from collections.abc import Iterable
from hashlib import blake2b

from appliance.routing.models import MailHost


def choose(key: bytes, hosts: Iterable[MailHost]) -> MailHost | None:
    """Give the host of this login; hosts of weight 0 take part only when there is no other."""
    candidates = list(hosts)
    weighed = [host for host in candidates if host.weight] or candidates
    return max(weighed, key=lambda host: (_score(key, host), host.pk), default=None)


def _score(key: bytes, host: MailHost) -> float:
    drawn = int.from_bytes(blake2b(b"%d:%b" % (host.pk, key), digest_size=8).digest())
    # in (0, 1): the logarithm exists and is not 0
    return -(host.weight or 1) / math.log((drawn + 0.5) / 2.0**64)
