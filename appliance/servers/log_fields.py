"""Where logs go, as columns: a block's own logs and those of the processes."""

from typing import TYPE_CHECKING

from django.db import models

from appliance.servers import declared
from appliance.servers.choices import LogLevel
from appliance.servers.declared import default_of
from proxycore.contract.process import FACILITIES, AccessLog, ErrorLog

if TYPE_CHECKING:
    from appliance.servers.declared import LineField


def _facility(log: type) -> "LineField":
    return declared.line(
        log,
        "syslog_facility",
        max_length=16,
        choices=[(name, name) for name in FACILITIES],
        default=default_of(log, "syslog_facility"),
    )


def _tag(log: type) -> "LineField":
    return declared.line(log, "syslog_tag", default=default_of(log, "syslog_tag"))


class SyslogFields(models.Model):
    """How a log is sent to syslog."""

    syslog_facility = _facility(ErrorLog)
    syslog_tag = _tag(ErrorLog)
    syslog_hostname = declared.switch(ErrorLog, "syslog_hostname")

    class Meta:
        """Columns."""

        abstract = True


class ProcessLogFields(SyslogFields):
    """The error log and the access log of the processes."""

    log_level = declared.line(
        ErrorLog, "level", max_length=8, choices=LogLevel, default=LogLevel.INFO.value
    )
    log_target = declared.line(
        ErrorLog, "target", max_length=300, default=default_of(ErrorLog, "target")
    )
    access_log_target = declared.line(
        AccessLog, "target", max_length=300, default=default_of(AccessLog, "target")
    )
    access_log_syslog_facility = _facility(AccessLog)
    access_log_syslog_tag = _tag(AccessLog)
    access_log_syslog_hostname = declared.switch(AccessLog, "syslog_hostname")

    class Meta:
        """Columns."""

        abstract = True
