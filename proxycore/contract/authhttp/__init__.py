"""The auth_http protocol: what is asked about a login, and what may be answered.

Both ends use this package: the daemon renders requests and reads replies, the appliance's view
reads requests and renders replies, so neither can disagree with the other. Wire order, escaping
and the meaning of every header are nginx's (its mail_auth_http module); deviations are marked.

Values from the wire are ``bytes``: a login or password may hold any octet.
"""

from proxycore.contract.authhttp.escaping import breaks_line, escape, unescape
from proxycore.contract.authhttp.places import is_host_name, is_ip_address
from proxycore.contract.authhttp.reply import (
    MAX_REPLY_BYTES,
    clean_text,
    read_reply_headers,
    render_reply_headers,
)
from proxycore.contract.authhttp.request import (
    NODE_TOKEN_HEADER,
    AuthRequest,
    ProxyFacts,
    TlsFacts,
    read_request,
    render_request_headers,
)
from proxycore.contract.authhttp.verdict import (
    DEFAULT_FAILURE,
    AuthFailed,
    AuthFault,
    AuthOk,
    AuthThrottled,
    AuthWait,
    Verdict,
)

__all__ = [
    "DEFAULT_FAILURE",
    "MAX_REPLY_BYTES",
    "NODE_TOKEN_HEADER",
    "AuthFailed",
    "AuthFault",
    "AuthOk",
    "AuthRequest",
    "AuthThrottled",
    "AuthWait",
    "ProxyFacts",
    "TlsFacts",
    "Verdict",
    "breaks_line",
    "clean_text",
    "escape",
    "is_host_name",
    "is_ip_address",
    "read_reply_headers",
    "read_request",
    "render_reply_headers",
    "render_request_headers",
    "unescape",
]
