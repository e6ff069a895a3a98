"""Directives of the process: those outside ``mail``."""

from typing import Final

from proxycore.nginxconf import kinds
from proxycore.nginxconf.errorlogs import ACCESS_LOG, ERROR_LOG
from proxycore.nginxconf.network import EXEMPT
from proxycore.nginxconf.rows import EVENTS, MAIN, Block, Repeat, Row, idle, one, ours
from proxycore.nginxconf.values import FLAG, NUMBER, TEXT, TIME

_NO_EFFECT: Final = "has no effect: the reactor decides"

PROCESS: Final = (
    Row(name="user", contexts=MAIN, most=2, kind=kinds.USER, field="process.user"),
    one("worker_processes", MAIN, kinds.WORKER_PROCESSES, "process.worker_processes"),
    one("worker_shutdown_timeout", MAIN, TIME, "process.worker_shutdown_timeout_ms"),
    one("pid", MAIN, TEXT, "process.pid"),
    Row(
        name="error_log",
        contexts=MAIN,
        most=None,
        kind=ERROR_LOG,
        field="process.error_logs",
        repeat=Repeat.APPEND,
    ),
    Row(
        name="access_log",
        contexts=MAIN,
        kind=ACCESS_LOG,
        field="process.access_logs",
        repeat=Repeat.APPEND,
        ours=True,
    ),
    ours("prelogin_sessions", MAIN, NUMBER, "process.prelogin_sessions"),
    ours("prelogin_sessions_per_address", MAIN, NUMBER, "process.prelogin_sessions_per_address"),
    Row(
        name="prelogin_exempt",
        contexts=MAIN,
        kind=EXEMPT,
        field="process.prelogin_exempt",
        most=None,
        repeat=Repeat.APPEND,
        ours=True,
    ),
    idle("daemon", MAIN, "has no effect: postroad stays in the foreground", FLAG),
    idle("master_process", MAIN, "has no effect: there is always a supervisor", FLAG),
    Row(
        name="load_module",
        contexts=MAIN,
        repeat=Repeat.REPLACE,
        remark="has no effect: no modules are loaded",
    ),
    idle("worker_rlimit_nofile", MAIN, "has no effect: the limit is the service manager's"),
    Row(
        name="worker_cpu_affinity",
        contexts=MAIN,
        most=None,
        remark="has no effect: the system schedules workers",
    ),
    idle("worker_priority", MAIN, "has no effect: the service manager sets it"),
    idle("pcre_jit", MAIN, "has no effect: there are no regular expressions", FLAG),
    idle("timer_resolution", MAIN, _NO_EFFECT, TIME),
    idle("lock_file", MAIN, "has no effect: there is no accept lock"),
    Row(name="events", contexts=MAIN, least=0, most=0, block=Block.READ),
    Row(name="mail", contexts=MAIN, least=0, most=0, block=Block.READ, field="mail"),
    Row(
        name="imap",
        field="mail",
        contexts=MAIN,
        least=0,
        most=0,
        block=Block.READ,
        remark='the "imap" block is deprecated, use the "mail" block instead',
        deprecated=True,
    ),
    *(
        Row(
            name=name,
            contexts=MAIN,
            least=0,
            most=0,
            block=Block.SKIPPED,
            repeat=Repeat.REPLACE,
            remark="block is left out: postroad serves mail",
        )
        for name in ("http", "stream")
    ),
    one("worker_connections", EVENTS, kinds.WORKER_CONNECTIONS, "process.worker_connections"),
    idle("multi_accept", EVENTS, _NO_EFFECT, FLAG),
    idle("use", EVENTS, _NO_EFFECT),
    idle("accept_mutex", EVENTS, _NO_EFFECT, FLAG),
    idle("accept_mutex_delay", EVENTS, _NO_EFFECT, TIME),
    idle("worker_aio_requests", EVENTS, _NO_EFFECT, NUMBER),
)
