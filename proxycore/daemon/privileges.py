"""Who the workers run as, and the process limits everything starts with.

The supervisor keeps its rights, as nginx's master does: it opens low ports and log files after any
reload. Workers, which read what the network sends, keep none.
"""

import grp
import os
import pwd
import resource
import signal
from dataclasses import dataclass
from typing import Final

from proxycore.contract.messages import SettingProblem
from proxycore.contract.snapshot import Process

DUMP_SIGNAL: Final = signal.SIGRTMIN
"""Has any process of ours write a traceback to its stderr. nginx gives it no meaning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The user and groups a worker takes on."""

    uid: int
    gid: int
    groups: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """What a configuration's ``user`` means on this machine."""

    identity: Identity | None = None
    """None: workers stay who the supervisor is."""
    problems: tuple[SettingProblem, ...] = ()
    warnings: tuple[str, ...] = ()


def resolve(process: Process, *, is_root: bool) -> Resolved:
    """Look up ``user`` and ``group``.

    ``user nobody;`` names the group of the same name, as in nginx; Debian has none, so the user's
    primary group is taken, with a warning. A group that was given by name must exist.
    """
    if not process.user:
        return Resolved()
    if not is_root:
        return Resolved(
            warnings=(
                'the "user" directive makes sense only if the master process runs with '
                "super-user privileges, ignored",
            )
        )
    try:
        user = pwd.getpwnam(process.user)
    except KeyError:
        message = f'getpwnam("{process.user}") failed'
        return Resolved(problems=(SettingProblem(path="process.user", message=message),))
    wanted = process.group or process.user
    warnings: tuple[str, ...] = ()
    try:
        gid = grp.getgrnam(wanted).gr_gid
    except KeyError:
        message = f'getgrnam("{wanted}") failed'
        if wanted != process.user:
            return Resolved(problems=(SettingProblem(path="process.group", message=message),))
        gid = user.pw_gid
        warnings = (f'{message}, using the primary group of user "{process.user}"',)
    groups = tuple(sorted({gid, *os.getgrouplist(process.user, gid)}))
    return Resolved(identity=Identity(uid=user.pw_uid, gid=gid, groups=groups), warnings=warnings)


def drop(identity: Identity) -> None:
    """Become ``identity`` for good. Order matters: without root, groups cannot be changed."""
    os.setgroups(identity.groups)
    os.setresgid(identity.gid, identity.gid, identity.gid)
    os.setresuid(identity.uid, identity.uid, identity.uid)


def prepare_process() -> None:
    """Raise the limit of open files all the way; leave no core, for memory holds passwords."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
