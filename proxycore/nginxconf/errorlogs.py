"""``error_log`` and ``access_log``: targets, levels, parameters of syslog, in nginx's words."""

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from proxycore.contract.process import FACILITIES, SYSLOG, AccessLog, ErrorLog
from proxycore.nginxconf.addresses import parse_syslog_server
from proxycore.nginxconf.problems import Refused, Report
from proxycore.nginxconf.source import Statement
from proxycore.nginxconf.values import Kind

_LEVELS: Final = ("debug", "info", "notice", "warn", "error", "crit", "alert", "emerg")
_DEBUG_LEVEL: Final = re.compile(r"debug_(core|alloc|mutex|event|http|mail|stream)")
_MEMORY: Final = "memory:"
_MAX_TAG: Final = 32


def _parse(statement: Statement, report: Report) -> tuple[ErrorLog, ...]:
    target, *levels = statement.args
    if not target:
        raise Refused(f'"{statement.name}" directive invalid value')
    if target.startswith(_MEMORY):
        raise Refused(
            f'"{target}" in "{statement.name}" directive is not supported: a log in memory is read '
            "with a debugger, and there is no such build; log to a file"
        )
    log = ErrorLog(target=target)
    if target.startswith(SYSLOG):
        log = _syslog(target.removeprefix(SYSLOG), statement, report)
    return (replace(log, level=_level(levels)),)


def _level(words: list[str]) -> str:
    """Give the level. nginx's ``debug_mail`` and its like narrow it to one module: ours is one."""
    found = ""
    for word in words:
        debug = _DEBUG_LEVEL.fullmatch(word) is not None
        if (word not in _LEVELS and not debug) or (debug and found not in ("", "debug_")):
            raise Refused(f'invalid log level "{word}"')
        if found and not debug:
            raise Refused(f'duplicate log level "{word}"')
        found = "debug_" if debug else word
    return found.rstrip("_") or "error"


def _syslog(text: str, statement: Statement, report: Report) -> ErrorLog:
    log, seen = ErrorLog(), set()
    for parameter in text.split(","):
        if parameter == "nohostname":
            log = replace(log, syslog_hostname=False)
            continue
        name, equals, value = parameter.partition("=")
        if not equals or name not in ("server", "facility", "tag", "severity"):
            raise Refused(f'unknown syslog parameter "{parameter}"')
        if name in seen:
            raise Refused(f'duplicate syslog "{name}"')
        seen.add(name)
        log = _with(log, name, value)
    if "server" not in seen:
        raise Refused("no syslog server specified")
    if "severity" in seen:
        report.notice(
            f'"severity=" of syslog in "{statement.name}" has no effect, as in nginx: a message '
            "is sent with its own level",
            statement.place,
        )
    return log


def _with(log: ErrorLog, name: str, value: str) -> ErrorLog:
    if name == "server":
        return replace(log, target=SYSLOG + _server(value))
    if name == "tag":
        return replace(log, syslog_tag=_tag(value))
    if value not in (_LEVELS if name == "severity" else FACILITIES):
        raise Refused(f'unknown syslog {name} "{value}"')
    return log if name == "severity" else replace(log, syslog_facility=value)


def _server(text: str) -> str:
    try:
        return parse_syslog_server(text)
    except Refused as refused:
        raise Refused(f'{refused} in syslog server "{text}"') from None


def _tag(text: str) -> str:
    if len(text) > _MAX_TAG:
        raise Refused("syslog tag length exceeds 32")
    if re.fullmatch(r"[0-9A-Za-z_]*", text) is None:
        raise Refused('syslog "tag" only allows alphanumeric characters and underscore')
    return text or ErrorLog().syslog_tag


def _parse_access(statement: Statement, report: Report) -> tuple[AccessLog, ...]:
    target = statement.args[0]
    if not target:
        raise Refused(f'"{statement.name}" directive invalid value')
    if not target.startswith(SYSLOG):
        return (AccessLog(target=target),)
    log = _syslog(target.removeprefix(SYSLOG), statement, report)
    return (
        AccessLog(
            target=log.target,
            syslog_facility=log.syslog_facility,
            syslog_tag=log.syslog_tag,
            syslog_hostname=log.syslog_hostname,
        ),
    )


def _write(log: ErrorLog) -> Iterable[str]:
    return (_write_target(log), log.level)


def _write_access(log: AccessLog) -> Iterable[str]:
    return (_write_target(log),)


def _write_target(log: ErrorLog | AccessLog) -> str:
    if not log.target.startswith(SYSLOG):
        return log.target
    words = [f"server={log.target.removeprefix(SYSLOG)}"]
    if log.syslog_facility != ErrorLog().syslog_facility:
        words.append(f"facility={log.syslog_facility}")
    if log.syslog_tag != ErrorLog().syslog_tag:
        words.append(f"tag={log.syslog_tag}")
    if not log.syslog_hostname:
        words.append("nohostname")
    return f"{SYSLOG}{','.join(words)}"


ERROR_LOG: Final = Kind(_parse, _write)
ACCESS_LOG: Final = Kind(_parse_access, _write_access)
