"""The auth_http view: raw headers in, verdict, raw headers out.

Plain functions on raw headers. Django's request object would merge ``Auth_User`` with
``Auth-User`` and decode what may be any bytes, and its middleware costs more than the answer.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from appliance.authhttp import callers, services
from appliance.credentials import verify
from appliance.credentials.certificates import ClientCertificate
from proxycore.contract.authhttp import AuthRequest, read_request, render_reply_headers
from proxycore.contract.protocol import Protocol

RawHeaders = Iterable[tuple[bytes, bytes]]
Reply = tuple[int, list[tuple[bytes, bytes]]]

FORBIDDEN: Reply = (403, [])
BAD_REQUEST: Reply = (400, [])
UNAVAILABLE: Reply = (503, [])
"""Without Auth headers: nginx and our daemon make a retryable "internal server error" of it."""


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A request that still needs slow work."""

    case: services.Open
    protocol: Protocol

    @property
    def kind(self) -> verify.Kind:
        """Where the work is to be done."""
        return self.case.pending.kind

    @property
    def work(self) -> Callable[[], verify.Result]:
        """The work."""
        return self.case.pending.work

    def finish(self, result: verify.Result) -> Reply:
        """Answer, now that the work is done."""
        return render(self.case.conclude(self.case.pending.finish(result)))


def begin(
    raw: RawHeaders,
    who_asks: Callable[[Mapping[str, bytes]], callers.Caller | None] = callers.who_asks,
) -> Reply | Unfinished:
    """Answer one request, or give what is left to do for it. Works on the database.

    Nothing a caller sends may raise.
    """
    headers, is_ambiguous = _collect(raw)
    caller = who_asks(headers)
    if caller is None:
        return FORBIDDEN
    if is_ambiguous:
        return BAD_REQUEST
    # listing 15-2: without a protocol, the default port is that of pop3
    headers.setdefault("auth-protocol", b"pop3")
    try:
        request = read_request(headers)
    except ValueError:
        return Unfinished(services.refuse(_NONSENSE), _NONSENSE.protocol)
    begun = services.begin(request, caller, ClientCertificate.read(headers))
    if isinstance(begun, services.Open):
        return Unfinished(begun, request.protocol)
    return render(begun)


def answer(raw: RawHeaders) -> Reply:
    """Answer one request, however long it takes."""
    begun = begin(raw)
    return begun.finish(begun.work()) if isinstance(begun, Unfinished) else begun


def render(verdict: services.Verdict) -> Reply:
    """Give a verdict as a reply."""
    return 200, [(name.encode(), value) for name, value in render_reply_headers(verdict)]


_NONSENSE = AuthRequest(
    protocol=Protocol.POP3, method="", login=b"", password=b"", attempt=1, client_ip=""
)
"""Stands for a request that cannot be read."""


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
