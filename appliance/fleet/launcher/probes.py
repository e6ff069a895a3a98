"""Ask until it answers: nothing is called started before it serves."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from asgiref.sync import sync_to_async
from django.utils import timezone

from appliance.fleet import queries
from appliance.fleet.choices import NodeState
from appliance.fleet.launcher.ports import Door

PATIENCE_S: Final = 60.0
WEB_PATIENCE_S: Final = 10.0
"""A node waits so long for the web server, then it starts without: it has its last snapshot."""
_PAUSE_S: Final = 0.1
_ANSWER_S: Final = 2.0
_ANSWERS: Final = (NodeState.RUNNING, NodeState.REFUSED, NodeState.DRAINING)

Probe = Callable[[], Awaitable[bool]]


async def wait_for(
    probes: Sequence[tuple[str, Probe]], patience_s: float = PATIENCE_S
) -> list[str]:
    """Wait until every probe answers; give the names of those that did not in time."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + patience_s
    missing = list(probes)
    while missing and loop.time() < deadline:
        missing = [(name, probe) for name, probe in missing if not await probe()]
        if missing:
            await asyncio.sleep(_PAUSE_S)
    return [name for name, _ in missing]


def web_answers(door: Door) -> Probe:
    """Probe: the sign-in page is served."""
    return lambda: _talk(door, b"GET /admin/login/ HTTP/1.0\r\nHost: localhost\r\n\r\n", b"HTTP/")


def auth_answers(door: Door) -> Probe:
    """Probe: the auth service tells strangers that it does not answer them."""
    return lambda: _talk(door, b"GET /auth_http HTTP/1.0\r\n\r\n", b"HTTP/1.1 403")


def mail_answers(door: Door) -> Probe:
    """Probe: a listener greets, or agrees on TLS, so a worker serves it."""
    return (lambda: _shakes_hands(door)) if door.is_tls else (lambda: _talk(door, b"", b""))


def node_has_answered(name: str, boot_before: str) -> Probe:
    """Probe: a node of this start has taken or refused the published revision.

    boot_before: boot id of the start before. A revoked node will not answer, and is not waited for.
    """

    def has() -> bool:
        return any(
            node.name == name
            and (
                status.state is NodeState.REVOKED
                or (status.state in _ANSWERS and node.boot_id != boot_before)
            )
            for node, status in queries.statuses(timezone.now())
        )

    return sync_to_async(has)


async def _shakes_hands(door: Door) -> bool:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # whether it answers is asked, not who it is: nothing is said to it
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    host, port = door.reach
    try:
        async with asyncio.timeout(_ANSWER_S):
            _, writer = await asyncio.open_connection(host, port, ssl=context)
            writer.transport.abort()
            return True
    except (OSError, TimeoutError):
        return False


async def _talk(door: Door, question: bytes, expected: bytes) -> bool:
    host, port = door.reach
    try:
        async with asyncio.timeout(_ANSWER_S):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(question)
                answer = await reader.readline()
                return answer != b"" and answer.startswith(expected)
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False
