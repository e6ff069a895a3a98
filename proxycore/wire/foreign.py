"""Lines of a protocol that is not ours.

A browser can be made to send a mail server a request whose body holds commands (ALPACA,
CVE-2021-3618, and its plain-text ancestors). Who says HTTP once is not a mail client.
"""

import re

_HTTP_REQUEST = re.compile(rb"[A-Z]{3,7} [^ ]+ HTTP/\d")


def is_http_request(line: bytes) -> bool:
    """Tell whether this is the first line of an HTTP request (RFC 9112 §3)."""
    return _HTTP_REQUEST.match(line) is not None
