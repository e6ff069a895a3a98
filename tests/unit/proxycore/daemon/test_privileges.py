"""Who workers run as."""

import grp
import os
import pwd
import subprocess
import sys

import pytest

from proxycore.contract.snapshot import Process
from proxycore.daemon.privileges import resolve


def _has_group(name: str) -> bool:
    return any(group.gr_name == name for group in grp.getgrall())


def test_no_user_is_no_change() -> None:
    resolved = resolve(Process(), is_root=True)
    assert resolved.identity is None
    assert resolved.problems == ()
    assert resolved.warnings == ()


def test_user_without_root_is_ignored_with_a_warning() -> None:
    resolved = resolve(Process(user="nobody"), is_root=False)
    assert resolved.identity is None
    assert "ignored" in resolved.warnings[0]


@pytest.mark.skipif(_has_group("nobody"), reason="this machine has a group nobody")
def test_nobody_without_a_group_of_that_name_takes_the_primary_group() -> None:
    resolved = resolve(Process(user="nobody"), is_root=True)
    nobody = pwd.getpwnam("nobody")
    assert resolved.identity is not None
    assert (resolved.identity.uid, resolved.identity.gid) == (nobody.pw_uid, nobody.pw_gid)
    assert 'getgrnam("nobody") failed' in resolved.warnings[0]
    assert resolved.problems == ()


def test_a_group_that_was_asked_for_must_exist() -> None:
    resolved = resolve(Process(user="nobody", group="no-such-group"), is_root=True)
    (problem,) = resolved.problems
    assert (problem.path, problem.message) == (
        "process.group",
        'getgrnam("no-such-group") failed',
    )


def test_a_user_must_exist() -> None:
    (problem,) = resolve(Process(user="no-such-user"), is_root=True).problems
    assert (problem.path, problem.message) == ("process.user", 'getpwnam("no-such-user") failed')


def test_a_given_group_is_taken() -> None:
    group = grp.getgrgid(pwd.getpwnam("daemon").pw_gid)
    resolved = resolve(Process(user="nobody", group=group.gr_name), is_root=True)
    assert resolved.identity is not None
    assert resolved.identity.gid == group.gr_gid
    assert 0 not in resolved.identity.groups


_DROP = """
import os
from proxycore.contract.snapshot import Process
from proxycore.daemon.privileges import drop, resolve
identity = resolve(Process(user="nobody", group="daemon"), is_root=True).identity
drop(identity)
try:
    os.setuid(0)
    print("root again")
except PermissionError:
    print(os.getresuid() == (identity.uid,) * 3, os.getresgid() == (identity.gid,) * 3,
          0 in os.getgroups())
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_rights_are_dropped_for_good() -> None:
    ran = subprocess.run([sys.executable, "-c", _DROP], capture_output=True, text=True, check=True)
    assert ran.stdout == "True True False\n"
