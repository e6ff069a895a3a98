"""Why a session ended. One vocabulary for logs, counters, the admin and the docs.

If you add a reason: add its sentence to ``EXPLANATIONS`` (a check refuses a reason without one).
"""

from enum import StrEnum
from typing import Final


class CloseReason(StrEnum):
    """The cause of the end of a session, as log key ``reason`` and counter label."""

    CLIENT_CLOSED = "client_closed"
    CLIENT_QUIT = "client_quit"
    CLIENT_ERROR = "client_error"
    CLIENT_TIMEOUT = "client_timeout"
    EARLY_TALKER = "early_talker"
    LINE_TOO_LONG = "line_too_long"
    UNSAFE_LITERAL = "unsafe_literal"
    FOREIGN_PROTOCOL = "foreign_protocol"
    TOO_MANY_ERRORS = "too_many_errors"
    TOO_MANY_COMMANDS = "too_many_commands"
    BAD_PROXY_HEADER = "bad_proxy_header"
    TLS_FAILED = "tls_failed"
    TLS_TIMEOUT = "tls_timeout"
    CLIENT_CERTIFICATE = "client_certificate"
    STARTTLS_INJECTION = "starttls_injection"
    TOO_MANY_SESSIONS = "too_many_sessions"
    LOGIN_FAILED = "login_failed"
    TOO_MANY_LOGINS = "too_many_logins"
    AUTH_UNAVAILABLE = "auth_unavailable"
    AUTH_TIMEOUT = "auth_timeout"
    AUTH_INVALID = "auth_invalid"
    NO_PASSWORD = "no_password"  # noqa: S105  (a reason, not a password)
    BACKEND_REFUSED = "backend_refused"
    BACKEND_TIMEOUT = "backend_timeout"
    BACKEND_CLOSED = "backend_closed"
    BACKEND_INVALID = "backend_invalid"
    BACKEND_REJECTED = "backend_rejected"
    BACKEND_NO_STARTTLS = "backend_no_starttls"
    BACKEND_TLS_FAILED = "backend_tls_failed"
    BACKEND_UNTRUSTED = "backend_untrusted"
    DONE = "done"
    IDLE_TIMEOUT = "idle_timeout"
    RELAY_ERROR = "relay_error"
    KICKED = "kicked"
    SHUTDOWN = "shutdown"
    SHUTDOWN_TIMEOUT = "shutdown_timeout"
    WORKER_LOST = "worker_lost"
    INTERNAL = "internal"


OF_BACKENDS: Final = frozenset(
    {
        CloseReason.BACKEND_REFUSED,
        CloseReason.BACKEND_TIMEOUT,
        CloseReason.BACKEND_CLOSED,
        CloseReason.BACKEND_INVALID,
        CloseReason.BACKEND_REJECTED,
        CloseReason.BACKEND_NO_STARTTLS,
        CloseReason.BACKEND_TLS_FAILED,
        CloseReason.BACKEND_UNTRUSTED,
    }
)
"""Ends of logins that a mail server is the cause of."""

FAILED_LOGINS: Final = OF_BACKENDS | {
    CloseReason.AUTH_UNAVAILABLE,
    CloseReason.AUTH_TIMEOUT,
    CloseReason.AUTH_INVALID,
    CloseReason.NO_PASSWORD,
}
"""Ends of logins that were submitted and came to nothing, but for refused ones: these are counted
each (``login_failures``), and a session may try again."""

EXPLANATIONS: Final[dict[CloseReason, str]] = {
    CloseReason.CLIENT_CLOSED: "The client closed the connection before it had logged in.",
    CloseReason.CLIENT_QUIT: "The client said goodbye before it had logged in.",
    CloseReason.CLIENT_ERROR: "The connection to the client broke before login.",
    CloseReason.CLIENT_TIMEOUT: "The client did not log in within `timeout`.",
    CloseReason.EARLY_TALKER: "The client spoke before the greeting (`smtp_greeting_delay`).",
    CloseReason.LINE_TOO_LONG: "The client sent a command longer than its buffer allows.",
    CloseReason.UNSAFE_LITERAL: "The client announced a literal in a line that is no command.",
    CloseReason.FOREIGN_PROTOCOL: "The client sent an HTTP request.",
    CloseReason.TOO_MANY_ERRORS: "The client sent `max_errors` commands that are not commands.",
    CloseReason.TOO_MANY_COMMANDS: "The client sent over `max_commands` commands before login.",
    CloseReason.BAD_PROXY_HEADER: "The connection did not begin with a valid PROXY header.",
    CloseReason.TLS_FAILED: "The TLS handshake with the client failed.",
    CloseReason.TLS_TIMEOUT: "The client did not finish the TLS handshake within `timeout`.",
    CloseReason.CLIENT_CERTIFICATE: "The client had no certificate, or a bad one.",
    CloseReason.STARTTLS_INJECTION: "The client sent something behind STARTTLS before TLS.",
    CloseReason.TOO_MANY_SESSIONS: (
        "Too many were not logged in (`prelogin_sessions`, `prelogin_sessions_per_address`)."
    ),
    CloseReason.LOGIN_FAILED: "The auth service refused the credentials.",
    CloseReason.TOO_MANY_LOGINS: (
        "Too many logins from the address or of the user (`mail_login_ip_max`,"
        " `mail_login_user_max`)."
    ),
    CloseReason.AUTH_UNAVAILABLE: "The auth service could not be reached.",
    CloseReason.AUTH_TIMEOUT: "The auth service did not answer within `auth_http_timeout`.",
    CloseReason.AUTH_INVALID: "The auth service answered something that is not an answer.",
    CloseReason.NO_PASSWORD: "The login needs a password for the mail server and there is none.",
    CloseReason.BACKEND_REFUSED: "The mail server could not be connected to.",
    CloseReason.BACKEND_TIMEOUT: "The mail server did not finish the login within `timeout`.",
    CloseReason.BACKEND_CLOSED: "The mail server closed the connection during login.",
    CloseReason.BACKEND_INVALID: "The mail server answered out of protocol during login.",
    CloseReason.BACKEND_REJECTED: "The mail server refused the login.",
    CloseReason.BACKEND_NO_STARTTLS: "The mail server did not offer STARTTLS, or not cleanly.",
    CloseReason.BACKEND_TLS_FAILED: "The TLS handshake with the mail server failed.",
    CloseReason.BACKEND_UNTRUSTED: "The mail server did not prove to be the one meant.",
    CloseReason.DONE: "A proxied session came to its end.",
    CloseReason.IDLE_TIMEOUT: "No byte passed in either direction for `proxy_timeout`.",
    CloseReason.RELAY_ERROR: "A connection broke while the session was being proxied.",
    CloseReason.KICKED: "The session was disconnected by an operator.",
    CloseReason.SHUTDOWN: "The proxy shut down and the session was still open.",
    CloseReason.SHUTDOWN_TIMEOUT: "The session was still open after `worker_shutdown_timeout`.",
    CloseReason.WORKER_LOST: "The worker process that held the session died.",
    CloseReason.INTERNAL: "A fault of ours ended the session; the log has the traceback.",
}
"""One sentence for the operator, per reason."""

TITLES: Final[dict[CloseReason, str]] = {
    CloseReason.LOGIN_FAILED: "Login refused",
    CloseReason.BACKEND_REFUSED: "Mail server not reached",
    CloseReason.BACKEND_TIMEOUT: "Mail server too slow",
    CloseReason.BACKEND_CLOSED: "Mail server hung up",
    CloseReason.BACKEND_INVALID: "Mail server not understood",
    CloseReason.BACKEND_REJECTED: "Mail server refused the password",
    CloseReason.BACKEND_NO_STARTTLS: "Mail server without STARTTLS",
    CloseReason.BACKEND_TLS_FAILED: "No TLS with the mail server",
    CloseReason.BACKEND_UNTRUSTED: "Mail server not trusted",
    CloseReason.DONE: "Ended as usual",
    CloseReason.IDLE_TIMEOUT: "Ended: nothing passed any more",
    CloseReason.KICKED: "Disconnected by an operator",
    CloseReason.SHUTDOWN: "Ended by a stop of the proxy",
    CloseReason.SHUTDOWN_TIMEOUT: "Ended by a restart of the proxy",
}
"""What people are told where the name of the reason does not do."""


def title(reason: str) -> str:
    """Give a reason in few words; one of a later version by its name."""
    known = TITLES.get(reason)  # type: ignore[call-overload]
    if known is not None:
        return str(known)
    return reason.replace("_", " ").capitalize().replace("tls", "TLS").replace("Tls", "TLS")
