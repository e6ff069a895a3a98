"""``proxycore check`` finds what would stand in the way of a start, as ``nginx -t`` does."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.pki import self_signed
from tests.support.ports import free_port
from tests.support.proxycore import environment
from tests.unit.proxycore.daemon.serve import Serve
from tests.unit.proxycore.daemon.test_serve import config


def _check(text: str, tmp_path: Path) -> "subprocess.CompletedProcess[str]":
    file = tmp_path / "nginx.conf"
    file.write_text(text)
    return subprocess.run(
        [sys.executable, "-m", "proxycore", "check", str(file)],
        capture_output=True,
        text=True,
        env=environment(),
        check=False,
    )


def test_check_accepts(tmp_path: Path) -> None:
    ran = _check(config(free_port()).replace("@DIR@", str(tmp_path)), tmp_path)
    assert ran.returncode == 0
    assert ran.stderr.endswith(f"configuration file {tmp_path}/nginx.conf test is successful\n")


def test_check_says_everything_and_fails(tmp_path: Path) -> None:
    ran = _check("bogus on;\nmail { nonsense; }\n", tmp_path)
    assert ran.returncode == 1
    assert f'[emerg] unknown directive "bogus" in {tmp_path}/nginx.conf:1' in ran.stderr
    assert f'[emerg] unknown directive "nonsense" in {tmp_path}/nginx.conf:2' in ran.stderr
    assert ran.stderr.endswith("test failed\n")


def test_check_looks_users_up(tmp_path: Path) -> None:
    ran = _check("user no-such-user;\n" + config(free_port()), tmp_path)
    assert ran.returncode == 1
    assert 'getpwnam("no-such-user") failed' in ran.stderr


def test_check_of_a_file_that_is_not_there(tmp_path: Path) -> None:
    for name in ("absent.conf", "absent.json"):
        ran = subprocess.run(
            [sys.executable, "-m", "proxycore", "check", str(tmp_path / name)],
            capture_output=True,
            text=True,
            env=environment(),
            check=False,
        )
        assert ran.returncode == 1
        assert "(2: No such file or directory)" in ran.stderr


def test_check_opens_the_logs_a_start_would_open(tmp_path: Path) -> None:
    text = config(free_port()).replace("@DIR@", str(tmp_path))
    ran = _check(text.replace("/error.log", "/absent/error.log"), tmp_path)
    assert ran.returncode == 1
    assert f'[emerg] open() "{tmp_path}/absent/error.log" failed (2: ' in ran.stderr
    assert f"in {tmp_path}/nginx.conf:2" in ran.stderr


def test_check_warns_of_a_pid_file_that_cannot_be_written(tmp_path: Path) -> None:
    text = config(free_port()).replace("@DIR@", str(tmp_path))
    ran = _check(text.replace("/pid;", "/absent/pid;"), tmp_path)
    assert ran.returncode == 0
    assert f'[warn] "{tmp_path}/absent/pid" cannot be written in' in ran.stderr


def test_check_warns_once_of_an_auth_service_that_nobody_knows(tmp_path: Path) -> None:
    text = config(free_port(), free_port()).replace("@DIR@", str(tmp_path))
    ran = _check(text.replace("127.0.0.1:9/auth", "no.such.host.invalid/auth"), tmp_path)
    assert ran.returncode == 0
    assert ran.stderr.count('[warn] host not found in auth_http "no.such.host.invalid"') == 1


@pytest.mark.parametrize("text", ["", "events {}\nhttp {}\n", "events {}\nmail {}\n"])
def test_check_warns_when_there_is_nothing_to_serve(text: str, tmp_path: Path) -> None:
    ran = _check(text, tmp_path)
    assert ran.returncode == 0
    assert "[warn] no server blocks: nothing will be served" in ran.stderr


def test_a_start_with_nothing_to_serve_says_so() -> None:
    daemon = Serve("error_log @DIR@/error.log; pid @DIR@/pid; events {}\n")
    try:
        daemon.launch_only()
        assert daemon.log_contains("[warn] ")
        assert daemon.log_contains("no server blocks: nothing will be served")
    finally:
        daemon.close()


def test_check_says_once_what_is_wrong_with_a_certificate_of_several_blocks(tmp_path: Path) -> None:
    (tmp_path / "cert.pem").write_text(self_signed("mail.example.com").pem)
    (tmp_path / "key.pem").write_text(self_signed("mail.example.com").key_pem)
    ran = _check(
        f"""mail {{
            auth_http 127.0.0.1:9;
            ssl_certificate cert.pem;
            ssl_certificate_key key.pem;
            server {{ listen {free_port()} ssl; protocol imap; }}
            server {{ listen {free_port()}; protocol imap; starttls on; }}
        }}""",
        tmp_path,
    )
    assert ran.returncode == 1
    assert ran.stderr.count("[emerg]") == 1
    assert f"key values mismatch) in {tmp_path}/nginx.conf:3" in ran.stderr
