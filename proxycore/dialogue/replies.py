"""Every text we say to a client of our own accord, in one place.

Wording and codes are nginx's. Texts that hold settings (greeting, capabilities) are put together
in ``profile``; login verdicts come from the auth service (contract.authhttp).
"""

from typing import Final

from proxycore.contract.protocol import Protocol

INVALID: Final[dict[Protocol, bytes]] = {
    Protocol.IMAP: b"BAD invalid command\r\n",  # behind a tag or an asterisk
    Protocol.POP3: b"-ERR invalid command\r\n",
    Protocol.SMTP: b"500 5.5.1 Invalid command\r\n",
}
"""Not a command, or not one for here and now."""

INTERNAL: Final[dict[Protocol, bytes]] = {
    Protocol.IMAP: b"* BAD internal server error\r\n",
    Protocol.POP3: b"-ERR internal server error\r\n",
    Protocol.SMTP: b"451 4.3.2 Internal server error\r\n",
}
"""Auth service or mail server not available, or out of protocol."""

DISTRUSTED: Final[dict[Protocol, bytes]] = {
    Protocol.IMAP: b"* BYE %b\r\n",
    Protocol.POP3: b"-ERR %b\r\n",
    Protocol.SMTP: b"421 4.7.1 %b\r\n",
}
"""A client's certificate, or the want of one, ends the session (ngx_mail_verify_cert)."""

TOO_MANY_SESSIONS: Final[dict[Protocol, bytes]] = {
    Protocol.IMAP: b"* BYE [UNAVAILABLE] Too many connections, try again later\r\n",
    Protocol.POP3: b"-ERR [SYS/TEMP] Too many connections, try again later\r\n",
    Protocol.SMTP: b"421 4.7.0 Too many connections, try again later\r\n",
}
"""Instead of a greeting (RFC 5530 §3, RFC 3206 §4, RFC 5321 §3.8)."""

IMAP_GREETING: Final = b"* OK IMAP4 ready\r\n"
IMAP_GO_AHEAD: Final = b"+ OK\r\n"
IMAP_BYE: Final = b"* BYE\r\n"
IMAP_COMPLETED: Final = b" OK completed\r\n"

POP3_GREETING: Final = b"+OK POP3 ready\r\n"
POP3_OK: Final = b"+OK\r\n"

SMTP_OK: Final = b"250 2.0.0 OK\r\n"
SMTP_BYE: Final = b"221 2.0.0 Bye\r\n"
SMTP_INVALID_ARGUMENT: Final = b"501 5.5.4 Invalid argument\r\n"
SMTP_BAD_SEQUENCE: Final = b"503 5.5.1 Bad sequence of commands\r\n"
SMTP_START_TLS: Final = b"220 2.0.0 Start TLS\r\n"
SMTP_TLS_REQUIRED: Final = b"530 5.7.0 Must issue a STARTTLS command first\r\n"
SMTP_AUTH_REQUIRED: Final = b"530 5.7.1 Authentication required\r\n"
SMTP_IMPROPER_PIPELINING: Final = b"503 5.5.0 Improper use of SMTP command pipelining\r\n"
SMTP_AUTHENTICATED: Final = b"235 2.0.0 OK\r\n"
SMTP_LOGIN_FAILED_CODE: Final = b"535 5.7.0"
TOO_MANY_LOGINS: Final = b"Too many logins, try again later"
