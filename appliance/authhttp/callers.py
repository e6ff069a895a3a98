"""May this caller ask? Anybody else could try passwords here past every limit of the proxy.

A node proves itself with its token, which the fleet app knows how to check; other proxies with a
header secret. A refusal takes the same way whatever was sent: both look-ups are made, every secret
is compared in constant time, so that its duration tells nothing.
"""

import hmac
from collections.abc import Callable, Mapping
from typing import Final

from appliance.authhttp.models import CallerSecret
from proxycore.contract.authhttp import NODE_TOKEN_HEADER

NodeCheck = Callable[[str], bool]
"""Tells whether a token belongs to a node that may ask. Must not vary in time with the token."""

_NODE_TOKEN: Final = NODE_TOKEN_HEADER.lower()
_node_checks: Final[list[NodeCheck]] = []


def register_node_check(check: NodeCheck) -> None:
    """Let the fleet say which tokens are good. The last one registered counts."""
    _node_checks[:] = [check]


def may_ask(headers: Mapping[str, bytes]) -> bool:
    """Tell whether these headers (lower-case names) come from somebody who may ask."""
    token = headers.get(_NODE_TOKEN, b"").decode("latin-1")
    # an unknown token costs the same look-up as none, so there is always one
    is_node = [check(token) for check in _node_checks] == [True]
    return (is_node and bool(token)) or _holds_secret(headers)


def _holds_secret(headers: Mapping[str, bytes]) -> bool:
    holds = False
    for known in CallerSecret.objects.filter(enabled=True):
        given = headers.get(known.header.lower(), b"")
        # both operands are evaluated for every secret, whatever was found before
        fits = hmac.compare_digest(given, known.secret.reveal().encode())
        holds = holds or (fits and bool(given))
    return holds
