"""The table of test_directives.py: what each directive takes and refuses, and what it becomes."""

from dataclasses import dataclass, field
from typing import Any

from proxycore.contract.protocol import Protocol
from proxycore.contract.snapshot import ErrorLog, Listen, Resolver

BOTH = ("mail", "server")
NUMBER = "directive invalid number"
VALUE = "directive invalid value"
FLAG = 'invalid value "yes" in "{name}" directive, it must be "on" or "off"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One directive: arguments → value of the setting, arguments → what is said of them."""

    name: str
    where: tuple[str, ...] = BOTH
    setting: str = ""
    """Path in Server, or in Process with ``process.`` in front."""
    takes: dict[str, Any] = field(default_factory=dict)
    refuses: dict[str, str] = field(default_factory=dict)
    notices: dict[str, str] = field(default_factory=dict)
    """Arguments that are taken, and what is said of them."""
    repeat: str = "refused"
    """What a second one in the block does: refused, replaces, adds."""


def flag(name: str, setting: str) -> Case:
    """A switch."""
    return Case(
        name=name, setting=setting, takes={"on": True, "OFF": False}, refuses={"yes": FLAG, "": ""}
    )


def size(name: str, setting: str, **more: Any) -> Case:
    """A size in bytes."""
    takes = {"8k": 8192, "1M": 1_048_576, "4097": 4097}
    refuses = {"1g": f'"{name}" {VALUE}', "-1": f'"{name}" {VALUE}', "1.5k": f'"{name}" {VALUE}'}
    return Case(name=name, setting=setting, takes=takes, refuses={**refuses, "1": VALUE}, **more)


def time(name: str, setting: str, where: tuple[str, ...] = BOTH, **more: Any) -> Case:
    """A time in milliseconds; a bare number is seconds."""
    takes = {"5": 5000, "'1m 30s'": 90_000, "250ms": 250}
    refuses = dict.fromkeys(("1y", "1M", "1.5s", "5x", "'5s 1m'"), f'"{name}" {VALUE}')
    return Case(name=name, where=where, setting=setting, takes=takes, refuses=refuses, **more)


def words(name: str, example: tuple[str, str], **more: Any) -> Case:
    """A list of words that a repetition makes longer."""
    one, two = example
    takes = {one: (one,), f"{one} '{two}'": (one, two)}
    return Case(name=name, setting=name, takes=takes, refuses={"": ""}, repeat="adds", **more)


def mask(name: str, known: str, setting: str = "", **more: Any) -> Case:
    """Mechanisms, in nginx's order whatever the order they are given in."""
    takes: dict[str, Any] = {word: (word,) for word in known.split()}
    takes[" ".join(reversed(known.split())).upper()] = tuple(known.split())
    return Case(
        name=name,
        setting=setting or name,
        takes=takes,
        refuses={"": "", "digest-md5": 'invalid value "digest-md5"'},
        repeat="adds",
        **more,
    )


def idle(name: str, where: tuple[str, ...], argument: str, **refuses: str) -> Case:
    """Taken, without effect, and said so."""
    return Case(name=name, where=where, notices={argument: f'"{name}" has no effect'}, **refuses)


MAIN = (
    Case(
        name="user",
        where=("main",),
        setting="process.user",
        takes={"nobody": "nobody", "www-data mail": "www-data"},
        refuses={"": "", "a b c": "", "''": 'getpwnam("") failed'},
    ),
    Case(
        name="worker_processes",
        where=("main",),
        setting="process.worker_processes",
        takes={"3": 3, "auto": 0},
        refuses={"x": f'"worker_processes" {VALUE}', "-1": VALUE, "1000": VALUE},
    ),
    time("worker_shutdown_timeout", "process.worker_shutdown_timeout_ms", ("main",)),
    Case(
        name="pid",
        where=("main",),
        setting="process.pid",
        takes={"/run/p": "/run/p"},
        refuses={"": ""},
    ),
    Case(
        name="worker_connections",
        where=("events",),
        setting="process.worker_connections",
        takes={"1024": 1024},
        refuses={"x": 'invalid number "x"', "0": "must be at least 1"},
    ),
    idle("daemon", ("main",), "off", refuses={"yes": FLAG}),
    idle("master_process", ("main",), "on", refuses={"yes": FLAG}),
    idle("multi_accept", ("events",), "on", refuses={"yes": FLAG}),
    idle("worker_rlimit_nofile", ("main",), "1024"),
    idle("worker_cpu_affinity", ("main",), "auto"),
    idle("worker_priority", ("main",), "-5"),
    idle("pcre_jit", ("main",), "on"),
    idle("timer_resolution", ("main",), "100ms"),
    idle("lock_file", ("main",), "x"),
    idle("use", ("events",), "epoll"),
    idle("accept_mutex", ("events",), "off"),
    idle("accept_mutex_delay", ("events",), "100ms"),
    idle("worker_aio_requests", ("events",), "5"),
    Case(
        name="load_module",
        where=("main",),
        takes={"modules/ngx_mail_module.so": None},
        notices={"modules/x.so": "no modules are loaded"},
        repeat="any",
    ),
    Case(
        name="group",
        where=("main",),
        setting="process.group",
        takes={"mail": "mail"},
        refuses={"": ""},
    ),
)

_LOG = ErrorLog(target="/log")
_SYSLOG = ErrorLog(target="syslog:127.0.0.1")

LOGS = tuple(
    Case(
        name="error_log",
        where=where,
        setting=setting,
        takes={
            "/log": (_LOG,),
            "stderr debug": (ErrorLog(level="debug"),),
            "/log debug_mail debug_event": (ErrorLog(target="/log", level="debug"),),
            "/log warn": (ErrorLog(target="/log", level="warn"),),
            "syslog:server=127.0.0.1": (_SYSLOG,),
            "syslog:server=[::1]:5140,tag=a_1,facility=mail,nohostname info": (
                ErrorLog(
                    target="syslog:[::1]:5140",
                    level="info",
                    syslog_tag="a_1",
                    syslog_facility="mail",
                    syslog_hostname=False,
                ),
            ),
            "syslog:server=unix:/dev/log": (ErrorLog(target="syslog:unix:/dev/log"),),
        },
        refuses={
            "": "",
            "x loud": 'invalid log level "loud"',
            "x info warn": 'duplicate log level "warn"',
            "memory:32m debug": '"memory:32m" in "error_log" directive is not supported: ',
            "syslog:tag=a": "no syslog server specified",
            "syslog:server=a,server=b": 'duplicate syslog "server"',
            "syslog:facility=x": 'unknown syslog facility "x"',
            "syslog:severity=x": 'unknown syslog severity "x"',
            "syslog:x=y": 'unknown syslog parameter "x=y"',
            f"syslog:tag={'x' * 33}": "syslog tag length exceeds 32",
            "syslog:tag=a-b": 'syslog "tag" only allows alphanumeric characters and underscore',
        },
        notices={
            "syslog:server=127.0.0.1,severity=info": '"severity=" of syslog in "error_log" has'
        },
        repeat="adds",
    )
    for where, setting in ((("main",), "process.error_logs"), (BOTH, "error_logs"))
)


def _bound(**options: Any) -> tuple[Listen, ...]:
    return (Listen(port=143, bind=True, **options),)


CORE = (
    *LOGS,
    Case(
        name="listen",
        where=("server",),
        setting="listens",
        takes={
            "143": (Listen(port=143),),
            "*:143": (Listen(port=143),),
            "127.0.0.1:8000": (Listen(address="127.0.0.1", port=8000),),
            "localhost:8000": (Listen(address="localhost", port=8000),),
            "[::]:8000": (Listen(address="::", port=8000),),
            "unix:/run/imap": (Listen(address="unix:/run/imap"),),
            "8000-8001": (Listen(port=8000), Listen(port=8001)),
            "143 proxy_protocol": (Listen(port=143, proxy_protocol=True),),
            "143 bind": _bound(),
            "143 backlog=5": _bound(backlog=5),
            "143 rcvbuf=8k": _bound(rcvbuf_bytes=8192),
            "143 sndbuf=1m": _bound(sndbuf_bytes=1_048_576),
            "143 ipv6only=off": _bound(ipv6only=False),
            "143 so_keepalive=on": _bound(so_keepalive="on"),
            "143 so_keepalive=off": _bound(so_keepalive="off"),
            "143 so_keepalive=30m::10": _bound(
                so_keepalive="on", keepalive_idle_s=1800, keepalive_count=10
            ),
            "143 multipath": _bound(multipath=True),
        },
        refuses={
            "": "",
            "143 wat": 'invalid parameter "wat"',
            "143 backlog=0": 'invalid backlog "backlog=0"',
            "143 rcvbuf=x": 'invalid rcvbuf "rcvbuf=x"',
            "143 sndbuf=x": 'invalid sndbuf "sndbuf=x"',
            "143 ipv6only=of": 'invalid ipv6only flags "of"',
            "143 ipv6only=maybe": 'invalid parameter "ipv6only=maybe"',
            "143 so_keepalive=::": 'invalid so_keepalive value: "::"',
            "143 ssl": 'no "ssl_certificate" is defined for the "listen ... ssl" directive',
            "x:y": 'invalid port in "x:y" of the "listen" directive',
            "5-3": 'invalid port range in "5-3" of the "listen" directive',
            "[::g]:1": 'invalid IPv6 address in "[::g]:1" of the "listen" directive',
            "a/b": 'invalid host in "a/b" of the "listen" directive',
            ":143": 'no host in ":143" of the "listen" directive',
            "unix:": 'no path in the unix domain socket in "unix:" of the "listen" directive',
        },
        notices={
            "127.0.0.1": 'no port in "127.0.0.1" of "listen": 143 is used',
            "[fe80::1]": 'no port in "fe80::1" of "listen": 143 is used',
        },
        repeat="adds",
    ),
    Case(
        name="protocol",
        where=("server",),
        setting="protocol",
        takes={word: Protocol(word) for word in ("imap", "pop3", "smtp")},
        refuses={"IMAP": 'unknown protocol "IMAP"', "": ""},
        repeat="replaces",
    ),
    Case(
        name="server_name",
        setting="server_names",
        takes={
            "a.example": ("a.example",),
            ".example.com": ("example.com", "*.example.com"),
            "a.example *.b": ("a.example", "*.b"),
            "_ *": ("_", "*"),
        },
        refuses={"": "", "'a b'": f'"server_name" {VALUE} "a b"'},
    ),
    time("timeout", "timeout_ms", notices={"60000": "did you mean"}),
    Case(
        name="max_errors",
        setting="max_errors",
        takes={"7": 7, "0": 0},
        refuses={"-1": f'"max_errors" {NUMBER}', "x": f'"max_errors" {NUMBER}'},
    ),
    Case(
        name="so_keepalive",
        setting="so_keepalive",
        refuses={"yes": FLAG},
        notices={"on": 'the "so_keepalive" directive is deprecated', "off": "deprecated"},
    ),
    Case(
        name="resolver",
        setting="resolver",
        takes={
            "127.0.0.1 [::1]:53": Resolver(addresses=("127.0.0.1", "[::1]:53")),
            "127.0.0.1 valid=5s ipv6=off": Resolver(
                addresses=("127.0.0.1",), valid_ms=5000, ipv6=False
            ),
            "off": Resolver(),
        },
        refuses={
            "": "",
            "valid=5s": "no name servers defined",
            "a/b": 'in resolver "a/b"',
            "127.0.0.1 valid=x": "invalid parameter: valid=x",
            "127.0.0.1 ipv4=off ipv6=off": '"ipv4" and "ipv6" cannot both be "off"',
        },
    ),
    time("resolver_timeout", "resolver_timeout_ms"),
)
