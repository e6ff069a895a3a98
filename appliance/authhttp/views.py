"""The auth_http view: raw headers in, verdict, raw headers out.

A plain function on raw headers. Django's request object would merge ``Auth_User`` with
``Auth-User`` and decode what may be any bytes, and its middleware costs more than the answer.
"""

from collections.abc import Iterable

from appliance.authhttp import callers, services
from proxycore.contract.authhttp import read_request, render_reply_headers

RawHeaders = Iterable[tuple[bytes, bytes]]
Reply = tuple[int, list[tuple[bytes, bytes]]]

FORBIDDEN: Reply = (403, [])
BAD_REQUEST: Reply = (400, [])
UNAVAILABLE: Reply = (503, [])
"""Without Auth headers: nginx and our daemon make a retryable "internal server error" of it."""


def answer(raw: RawHeaders) -> Reply:
    """Answer one request. Works on the database; nothing a caller sends may raise."""
    headers, is_ambiguous = _collect(raw)
    if not callers.may_ask(headers):
        return FORBIDDEN
    if is_ambiguous:
        return BAD_REQUEST
    # listing 15-2: without a protocol, the default port is that of pop3
    headers.setdefault("auth-protocol", b"pop3")
    try:
        verdict = services.answer(read_request(headers))
    except ValueError:
        verdict = services.refusal()
    return 200, [(name.encode(), value) for name, value in render_reply_headers(verdict)]


def _collect(raw: RawHeaders) -> tuple[dict[str, bytes], bool]:
    """Give the headers by lower-case name, and whether any could be read in two ways."""
    headers: dict[str, bytes] = {}
    is_ambiguous = False
    for name, value in raw:
        key = name.decode("latin-1").lower()
        if "_" in key or key in headers:
            is_ambiguous = True
        headers[key] = value
    return headers, is_ambiguous
