"""The snapshot a node of ours is given: everything on that costs something."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tests.bench.surroundings import NAME, Surroundings

EVERYTHING_ON: Final = (
    "managed node: control link attached (heartbeat and live sessions each second, totals and "
    "histograms every five, a record of every session that ended for the history), registry of "
    "live sessions, counters, error log, access log (a JSON line per session) to a file, limits "
    "before login; supervisor's CPU and memory counted"
)
"""What the figures of ours include; stands beside them."""

_SPARE_BEFORE_LOGIN: Final = 8_192
"""Sessions before login, in all and from one address: the limit works, and a storm fits in."""


def snapshot_of(
    around: Surroundings,
    ports: Mapping[str, int],
    *,
    log_directory: Path,
    user: tuple[str, str],
    keepalive: int,
    cache_ttl_ms: int,
    secure_back: bool,
) -> dict[str, Any]:
    """Write it. Ports whose name ends in ``s`` speak TLS; the others then offer STARTTLS."""
    auth_http = {
        "host": "127.0.0.1",
        "port": around.auth.port,
        "uri": "/secure" if secure_back else around.auth.uri,
        "keepalive": keepalive,
        "send_node_token": True,
        "cache_ttl_ms": cache_ttl_ms,
    }
    return {
        "servers": [
            {
                "name": name,
                "protocol": name.removesuffix("s"),
                "listens": [{"address": "127.0.0.1", "port": port, "ssl": name.endswith("s")}],
                "server_names": [NAME],
                "auth_http": auth_http,
                **(_tls(around, secure_back=secure_back) if "imaps" in ports else {}),
            }
            for name, port in ports.items()
        ],
        "process": {
            "worker_processes": 1,
            "worker_connections": around.connections,
            "user": user[0],
            "group": user[1],
            "error_logs": [{"target": f"{log_directory}/error.log"}],
            "access_logs": [{"target": f"{log_directory}/access.log"}],
            "prelogin_sessions": _SPARE_BEFORE_LOGIN,
            "prelogin_sessions_per_address": _SPARE_BEFORE_LOGIN,
            # all clients have one address here, whose handshakes would be told to wait
            "prelogin_exempt": ["127.0.0.0/8"],
        },
    }


def _tls(around: Surroundings, *, secure_back: bool) -> dict[str, Any]:
    pair = around.certificate
    return {
        "front_tls": {
            "starttls": "on",
            "certificates": [
                {
                    "ssl_certificate": _data(pair.certificate),
                    "ssl_certificate_key": _data(pair.key),
                }
            ],
        },
        "back_tls": {
            "proxy_ssl": "implicit" if secure_back else "none",
            "proxy_ssl_name": NAME,
            "proxy_ssl_trusted_certificate": _data(pair.authority),
        },
    }


def _data(file: Path) -> str:
    return "data:" + file.read_text(encoding="ascii")
