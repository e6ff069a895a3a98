"""Whether this host reaches the auth services that a configuration names.

Only ever a warning: a service may be started later, and nodes that have cached verdicts go on.
"""

import asyncio
import os
import socket
from collections.abc import Iterator
from typing import Final

from proxycore.contract.messages import SettingProblem
from proxycore.contract.snapshot import AuthBackup, AuthHttp, Snapshot

PATIENCE_S: Final = 2.0
"""Enough for a name server and a handshake far away; somebody looks at a page meanwhile."""

MAX_PLACES: Final = 64
"""Most places that are tried, all at once."""

_UNIX: Final = "unix:"


async def out_of_reach(snapshot: Snapshot) -> list[SettingProblem]:
    """Try to connect to each auth service; nothing is said to it."""
    paths: dict[tuple[str, int], list[str]] = {}
    for path, place in _places(snapshot):
        paths.setdefault((place.host, place.port), []).append(path)
    asked = list(paths)[:MAX_PLACES]
    answers = await asyncio.gather(*(_connect(*place) for place in asked))
    return [
        SettingProblem(path=path, message=message)
        for place, message in zip(asked, answers, strict=True)
        if message
        for path in paths[place]
    ]


def _places(snapshot: Snapshot) -> Iterator[tuple[str, AuthHttp | AuthBackup]]:
    for i, server in enumerate(snapshot.servers):
        yield f"servers[{i}].auth_http.host", server.auth_http
        for j, backup in enumerate(server.auth_http.backups):
            yield f"servers[{i}].auth_http.backups[{j}].host", backup


async def _connect(host: str, port: int) -> str:
    """Give what stands between us and a service; empty when nothing does."""
    where = host if host.startswith(_UNIX) else f"{host}:{port}"
    try:
        async with asyncio.timeout(PATIENCE_S):
            if host.startswith(_UNIX):
                _, writer = await asyncio.open_unix_connection(host.removeprefix(_UNIX))
            else:
                _, writer = await asyncio.open_connection(host, port)
    except (socket.gaierror, UnicodeError):
        return f'host not found in auth service "{where}"'
    except TimeoutError:
        return f"auth service {where} does not answer"
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else "no address of it answers"
        return f"auth service {where} cannot be reached: {why}"
    writer.transport.abort()
    return ""
