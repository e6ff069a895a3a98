"""Records as nodes send them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from proxycore.contract.access import AccessPhases, AccessRecord, AccessTls, FailedLogin
from proxycore.contract.codec import encode
from proxycore.contract.messages import Records

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
CANARY = "canary-7f3a9"

TLS = AccessTls(
    protocol="TLSv1.3",
    cipher="TLS_AES_256_GCM_SHA384",
    sni="imap.example.com",
    alpn="imap",
    resumed=True,
    verify="",
)


def stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def phases(**said: Any) -> AccessPhases:
    facts = {"tls": 4, "credentials": 20, "auth": 7, "connect": 3, "login": 12}
    return AccessPhases(**{**facts, "relay": 958, "total": 1000, **said})


def session(number: int = 1, *, ended_at: datetime = NOW, **said: Any) -> dict[str, Any]:
    """Give the record of a session that ended at this time, a second after its begin."""
    ms = said.pop("ms", phases())
    facts = {
        "time": stamp(ended_at - timedelta(milliseconds=ms.total)),
        "session": f"b00t-1.{number}",
        "server": "imap",
        "protocol": "imap",
        "listen": "*:143",
        "client": "192.0.2.7",
        "client_port": 50_000,
        "proxy": None,
        "login": "alice@example.org",
        "submitted": "",
        "auth_session": "",
        "method": "plain",
        "attempts": 1,
        "cached": False,
        "backend": "198.51.100.1:143",
        "front_tls": TLS,
        "back_tls": None,
        "bytes_to_front": 4711,
        "bytes_to_back": 815,
        "ms": ms,
        "reason": "done",
        "fault": "",
    }
    plain: dict[str, Any] = encode(AccessRecord(**{**facts, **said}))
    return plain


def failed(number: int = 1, attempt: int = 1, *, at: datetime = NOW, **said: Any) -> dict[str, Any]:
    """Give the record of a refused login."""
    facts = {
        "time": stamp(at),
        "session": f"b00t-1.{number}",
        "server": "imap",
        "protocol": "imap",
        "listen": "*:143",
        "client": "192.0.2.7",
        "client_port": 50_000,
        "login": "alice@example.org",
        "method": "plain",
        "attempt": attempt,
        "cached": False,
        "tls": "TLSv1.3",
        "text": "Invalid login or password",
    }
    plain: dict[str, Any] = encode(FailedLogin(**{**facts, **said}))
    return plain


def batch(
    *sessions: dict[str, Any],
    logins: tuple[dict[str, Any], ...] = (),
    number: int = 1,
    boot_id: str = "b00t",
    dropped: int = 0,
) -> Records:
    return Records(
        boot_id=boot_id, number=number, sessions=sessions, logins=logins, dropped=dropped
    )
