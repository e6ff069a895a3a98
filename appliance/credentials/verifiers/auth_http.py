"""Ask another auth_http service, as nginx would; of its answer only the verdict is taken.

Where the login goes is for our routes to say, so its mail server, login and password are not used.
"""

from appliance.credentials.verifiers.question import Answer, Question
from appliance.lib.line import Line
from appliance.routing import models
from appliance.servers.snapshot import parse_auth_http
from proxycore.contract.authhttp import (
    MAX_REPLY_BYTES,
    AuthFailed,
    AuthOk,
    read_reply_headers,
    render_request_headers,
)


class AuthHttpVerifier:
    """Puts the client's request to somebody else's service."""

    def __init__(self, stored: models.Verifier) -> None:
        self._host, self._port, uri = parse_auth_http(stored.url)
        name = "localhost" if self._host.startswith("unix:") else self._host
        shown = f"[{name}]" if ":" in name else name
        self._start = f"GET {uri} HTTP/1.0\r\nHost: {shown}\r\n".encode()
        self._end = b"\r\n"
        if stored.header and stored.secret:
            self._end = f"{stored.header}: {stored.secret.reveal()}\r\n\r\n".encode()
        self._timeout_ms = stored.timeout_ms

    def verify(self, question: Question) -> Answer:
        """Ask; a service that is away, waits or answers nonsense cannot say."""
        try:
            with Line(self._host, self._port, self._timeout_ms) as line:
                line.send(self._start + render_request_headers(question.request) + self._end)
                verdict = read_reply_headers(_headers(line))
        except OSError:
            return Answer.AWAY
        if isinstance(verdict, AuthOk):
            # he leaves it to the mail server, and so must we (ADR-0022)
            return Answer.UNSAID if verdict.proxy_auth else Answer.RIGHT
        return Answer.WRONG if isinstance(verdict, AuthFailed) else Answer.AWAY


def _headers(line: Line) -> list[bytes]:
    status = line.line()
    words = status.split()
    if len(words) < 2 or not words[0].startswith(b"HTTP/") or words[1] != b"200":
        # nginx takes any status; here "200" is what makes a refusal a refusal
        raise ConnectionError("no answer")
    lines, size = [], 0
    while found := line.line():
        size += len(found)
        if size > MAX_REPLY_BYTES:
            raise ConnectionError("the answer is too long")
        lines.append(found)
    return lines
