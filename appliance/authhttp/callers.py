"""May this caller ask? Anybody else could try passwords here past every limit of the proxy.

A node proves itself with its token, which the fleet app knows how to check; other proxies with a
header secret. A refusal takes the same way whatever was sent: both look-ups are made, every secret
is compared in constant time, so that its duration tells nothing.
"""

import hmac
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Final

from appliance.authhttp.models import CallerSecret
from proxycore.contract.authhttp import NODE_TOKEN_HEADER

NodeCheck = Callable[[str], bool]
"""Tells whether a token belongs to a node that may ask. Must not vary in time with the token."""

RECOGNISED_S: Final = 2.0
_MOST_RECOGNISED: Final = 10_000

_NODE_TOKEN: Final = NODE_TOKEN_HEADER.lower()
_node_checks: Final[list[NodeCheck]] = []


def register_node_check(check: NodeCheck) -> None:
    """Let the fleet say which tokens are good. The last one registered counts."""
    _node_checks[:] = [check]


def may_ask(headers: Mapping[str, bytes]) -> bool:
    """Tell whether these headers (lower-case names) come from somebody who may ask."""
    token = headers.get(_NODE_TOKEN, b"")
    # an unknown token costs the same look-up as none, so there is always one
    is_node = _is_node(token)
    return (is_node and bool(token)) or _holds_secret(headers)


class Doorkeeper:
    """Knows the nodes that asked a moment ago, so that not every login looks a token up.

    A revoked token opens for RECOGNISED_S at most. Only good tokens are remembered, as keyed
    hashes under a key of this process.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._key = secrets.token_bytes(32)
        self._clock = clock
        self._until: dict[bytes, float] = {}

    def may_ask(self, headers: Mapping[str, bytes]) -> bool:
        """Tell whether these headers (lower-case names) come from somebody who may ask."""
        token = headers.get(_NODE_TOKEN, b"")
        if not token:
            return may_ask(headers)
        digest = hmac.digest(self._key, token, "sha256")
        now = self._clock()
        if self._until.get(digest, 0.0) > now:
            return True
        if not may_ask(headers):
            self._until.pop(digest, None)
            return False
        if len(self._until) >= _MOST_RECOGNISED:
            self._until.clear()
        # a good header secret beside a bad token must not make the token good
        if _is_node(token):
            self._until[digest] = now + RECOGNISED_S
        return True


def _is_node(token: bytes) -> bool:
    return [check(token.decode("latin-1")) for check in _node_checks] == [True]


def _holds_secret(headers: Mapping[str, bytes]) -> bool:
    holds = False
    for known in CallerSecret.objects.filter(enabled=True):
        given = headers.get(known.header.lower(), b"")
        # both operands are evaluated for every secret, whatever was found before
        fits = hmac.compare_digest(given, known.secret.reveal().encode())
        holds = holds or (fits and bool(given))
    return holds
