"""Fetch a node's token with a one-time code of its appliance (ADR-0033)."""

import http.client
import json
import ssl
from typing import Any, Final
from urllib.parse import urlsplit

from proxycore.contract.secret import Secret
from proxycore.daemon.link import link_url

PATH: Final = "/enrol"

_TIMEOUT_S: Final = 20.0
_MAX_ANSWER_BYTES: Final = 10_000


class NotEnrolled(Exception):
    """There is no token; the text says why."""


def fetch_token(control: str, code: Secret) -> tuple[Secret, str]:
    """Give the token and the node's name.

    control: as ``serve --control`` takes it. Raises NotEnrolled, and ValueError for a bad address.
    """
    parts = urlsplit(link_url(control))
    host = parts.hostname or ""
    connection: http.client.HTTPConnection
    if parts.scheme == "wss":
        context = ssl.create_default_context()
        connection = http.client.HTTPSConnection(
            host, parts.port, timeout=_TIMEOUT_S, context=context
        )
    else:
        connection = http.client.HTTPConnection(host, parts.port, timeout=_TIMEOUT_S)
    try:
        body = json.dumps({"code": code.reveal()})
        connection.request("POST", PATH, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return _read(answer.status, answer.read(_MAX_ANSWER_BYTES))
    except (OSError, http.client.HTTPException) as error:
        raise NotEnrolled(f"{control} cannot be reached: {error}") from None
    finally:
        connection.close()


def _read(status: int, body: bytes) -> tuple[Secret, str]:
    try:
        plain: Any = json.loads(body)
    except ValueError:
        plain = {}
    said = plain if isinstance(plain, dict) else {}
    token, name = said.get("token"), said.get("name")
    if status == http.client.OK and isinstance(token, str) and isinstance(name, str) and token:
        return Secret(token), name
    reason = said.get("error")
    raise NotEnrolled(
        reason if isinstance(reason, str) else f"the appliance answered HTTP {status}"
    )
