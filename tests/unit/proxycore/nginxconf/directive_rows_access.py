"""The access log and the limits before login, for the table of test_directives.py."""

from proxycore.contract.snapshot import AccessLog
from tests.unit.proxycore.nginxconf.directive_rows import BOTH, NUMBER, Case

ACCESS = (
    *(
        Case(
            name="access_log",
            where=where,
            setting=setting,
            takes={
                "/var/log/access.log": (AccessLog(target="/var/log/access.log"),),
                "off": (AccessLog(target="off"),),
                "syslog:server=127.0.0.1,facility=mail,tag=a,nohostname": (
                    AccessLog(
                        target="syslog:127.0.0.1",
                        syslog_facility="mail",
                        syslog_tag="a",
                        syslog_hostname=False,
                    ),
                ),
            },
            refuses={
                "": "",
                "''": '"access_log" directive invalid value',
                "x combined": "",
                "syslog:tag=a": "no syslog server specified",
                "syslog:server=127.0.0.1,facility=x": 'unknown syslog facility "x"',
            },
            repeat="adds",
        )
        for where, setting in ((("main",), "process.access_logs"), (BOTH, "access_logs"))
    ),
    *(
        Case(
            name=name,
            where=("main",),
            setting=f"process.{name}",
            takes={"7": 7, "0": 0},
            refuses={"x": f'"{name}" {NUMBER}', "": ""},
        )
        for name in ("prelogin_sessions", "prelogin_sessions_per_address")
    ),
    Case(
        name="prelogin_exempt",
        where=("main",),
        setting="process.prelogin_exempt",
        takes={
            "10.0.0.1 2001:db8::/32 unix:": ("10.0.0.1", "2001:db8::/32", "unix:"),
        },
        refuses={
            "": "",
            "mail.example.com": 'invalid network "mail.example.com" in "prelogin_exempt" directive',
            "10.0.0.0/33": 'invalid network "10.0.0.0/33"',
        },
        notices={"10.0.0.1/8": "low address bits of 10.0.0.1/8 are meaningless"},
        repeat="adds",
    ),
)
