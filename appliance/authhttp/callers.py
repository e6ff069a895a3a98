"""Who asks? Strangers could try passwords here past every limit of the proxy.

A node proves itself with its token, which the fleet app knows how to check; other proxies with a
header secret. A refusal takes the same way whatever was sent: both look-ups are made, every secret
is compared in constant time, so that its duration tells nothing.
"""

import hmac
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from appliance.authhttp.models import CallerSecret
from proxycore.contract.authhttp import NODE_TOKEN_HEADER

NodeCheck = Callable[[str], bool]
"""Tells whether a token belongs to a node that may ask. Must not vary in time with the token."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who may ask."""

    obeys_proxy_auth: bool
    """Logs in at an SMTP server with the client's password when it is told to (or always), and
    then names no login in XCLIENT. Nobody else may be told of a login that nobody has verified."""


NODE: Final = Caller(obeys_proxy_auth=True)
"""One of ours."""

RECOGNISED_S: Final = 2.0
_MOST_RECOGNISED: Final = 10_000

_NODE_TOKEN: Final = NODE_TOKEN_HEADER.lower()
_node_checks: Final[list[NodeCheck]] = []


def register_node_check(check: NodeCheck) -> None:
    """Let the fleet say which tokens are good. The last one registered counts."""
    _node_checks[:] = [check]


def who_asks(headers: Mapping[str, bytes]) -> Caller | None:
    """Tell from whom these headers (lower-case names) are. None: a stranger."""
    token = headers.get(_NODE_TOKEN, b"")
    # an unknown token costs the same look-up as none, so there is always one
    is_node = _is_node(token)
    return NODE if is_node and token else _holder(headers)


class Doorkeeper:
    """Knows the nodes that asked a moment ago, so that not every login looks a token up.

    A revoked token opens for RECOGNISED_S at most. Only good tokens are remembered, as keyed
    hashes under a key of this process.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._key = secrets.token_bytes(32)
        self._clock = clock
        self._until: dict[bytes, float] = {}

    def who_asks(self, headers: Mapping[str, bytes]) -> Caller | None:
        """Tell from whom these headers (lower-case names) are. None: a stranger."""
        token = headers.get(_NODE_TOKEN, b"")
        if not token:
            return who_asks(headers)
        digest = hmac.digest(self._key, token, "sha256")
        now = self._clock()
        if self._until.get(digest, 0.0) > now:
            return NODE
        caller = who_asks(headers)
        # a good header secret beside a bad token does not make the token good
        if caller is not NODE:
            self._until.pop(digest, None)
            return caller
        if len(self._until) >= _MOST_RECOGNISED:
            self._until.clear()
        self._until[digest] = now + RECOGNISED_S
        return NODE


def _is_node(token: bytes) -> bool:
    return [check(token.decode("latin-1")) for check in _node_checks] == [True]


def _holder(headers: Mapping[str, bytes]) -> Caller | None:
    held = []
    for known in CallerSecret.objects.filter(enabled=True):
        given = headers.get(known.header.lower(), b"")
        # every secret is compared, whatever was found before
        if hmac.compare_digest(given, known.secret.reveal().encode()) and given:
            held.append(known)
    # one secret in two rows: both have to say so
    return Caller(all(one.proxy_smtp_auth for one in held)) if held else None
