"""What a node's connection says of itself, and its frames."""

import json
from collections.abc import Sequence
from typing import Any

from appliance.fleet.consumers.ticking import Message
from proxycore.contract.codec import Invalid, Problem
from proxycore.contract.messages import from_frame


def parse(text: str) -> Any:
    """Read one frame. Raises Invalid for whatever is none; NaN and Infinity are not JSON."""
    try:
        return from_frame(json.loads(text, parse_constant=_refuse_constant))
    except Invalid:
        raise
    except (ValueError, RecursionError):
        raise Invalid([Problem("", "is not JSON")]) from None


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def bearer_token(headers: Sequence[tuple[bytes, bytes]]) -> str:
    """Give the token of ``Authorization: Bearer`` (RFC 6750 §2.1); empty if there is none."""
    given = [value for name, value in headers if name.lower() == b"authorization"]
    if len(given) != 1:
        return ""
    scheme, _, token = given[0].decode("latin-1").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def peer_address(scope: Message) -> str:
    """Give the address a connection comes from; empty when it is not known."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def peer(scope: Message) -> str:
    """Give address and port, for the log."""
    client = scope.get("client")
    return f"{client[0]}:{client[1]}" if client else "unknown"
