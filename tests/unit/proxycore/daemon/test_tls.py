"""TLS of a whole daemon: renewed files; sessions outlive workers, reloads and processes."""

import os
import signal
import ssl
from pathlib import Path

import pytest

from tests.support.pki import self_signed
from tests.support.ports import free_port
from tests.support.wait import eventually
from tests.unit.proxycore.daemon.serve import Serve
from tests.unit.proxycore.daemon.tls_client import Client, serves

CONFIG = """\
worker_processes {workers};
error_log @DIR@/error.log info;
pid @DIR@/pid;
events {{ }}
mail {{
    auth_http 127.0.0.1:9/auth;
    server {{
        listen 127.0.0.1:{port} ssl;
        protocol imap;
        ssl_certificate {directory}/tls.crt;
        ssl_certificate_key {directory}/tls.key;
        {more}
    }}
}}
"""

ONE, OTHER = self_signed("one.example"), self_signed("other.example")
SHARED_CACHE = "ssl_session_cache shared:TLS:1m; ssl_session_tickets off;"
VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def files(tmp_path: Path) -> Path:
    ONE.write(tmp_path, "tls")
    return tmp_path


def config(port: int, files: Path, more: str = "", workers: int = 1) -> str:
    return CONFIG.format(port=port, directory=files, more=more, workers=workers)


def reload(daemon: Serve) -> None:
    before = daemon.log().count("is in force")
    daemon.signal(signal.SIGHUP)
    eventually(lambda: daemon.log().count("is in force") > before, "the configuration is taken")


def replace_worker(daemon: Serve) -> None:
    (former,) = daemon.workers()
    os.kill(former, signal.SIGKILL)
    eventually(lambda: daemon.workers() not in ([], [former]), "another worker runs")


# --- certificates -------------------------------------------------------------------------------


def test_a_renewed_file_is_served_after_hup_though_the_configuration_is_the_same(
    port: int, files: Path
) -> None:
    with Serve(config(port, files, workers=2)) as daemon:
        with Client().connected(port) as session:
            assert serves(port, ONE)
            OTHER.write(files, "tls")
            assert serves(port, ONE)
            reload(daemon)
            assert all(serves(port, OTHER) for _ in range(6))
            session.sendall(b"a NOOP\r\n")
            assert session.recv(100) == b"a OK completed\r\n"
        assert "no longer listening" not in daemon.log()


def test_a_key_that_does_not_fit_changes_nothing_and_is_told_with_its_line(
    port: int, files: Path
) -> None:
    with Serve(config(port, files)) as daemon:
        (files / "tls.key").write_text(OTHER.key_pem)
        daemon.signal(signal.SIGHUP)
        words = f'SSL_CTX_use_PrivateKey("{files}/tls.key") failed (SSL: error:'
        assert daemon.log_contains(words)
        assert daemon.log_contains(f"in {daemon.config_file}:10")
        assert daemon.log_contains("the old one stays in force")
        assert serves(port, ONE)


def test_a_start_without_its_certificate_is_refused(port: int, files: Path) -> None:
    (files / "tls.crt").unlink()
    daemon = Serve(config(port, files))
    try:
        daemon.launch_only()
        assert daemon.ended(10) == 1
        assert f'cannot load certificate "{files}/tls.crt": open() failed (2: ' in daemon.log()
    finally:
        daemon.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give rights away")
def test_workers_need_no_right_to_read_keys(port: int, files: Path) -> None:
    with Serve("user nobody nogroup;\n" + config(port, files)):
        assert (files / "tls.key").stat().st_mode & 0o077 == 0
        assert serves(port, ONE)


def test_keys_are_neither_in_the_log_nor_in_what_others_see_of_a_process(
    port: int, files: Path
) -> None:
    secret = ONE.key_pem.splitlines()[1].encode()
    with Serve(config(port, files).replace("info;", "debug;")) as daemon:
        assert serves(port, ONE)
        for pid in (daemon.pid, *daemon.workers()):
            for name in ("cmdline", "environ"):
                assert secret not in Path(f"/proc/{pid}/{name}").read_bytes()
        assert secret.decode() not in daemon.log()


# --- resumption ---------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("more", ["", SHARED_CACHE], ids=["tickets", "shared cache"])
def test_a_session_survives_its_worker_and_a_reload(
    port: int, files: Path, version: ssl.TLSVersion, more: str
) -> None:
    client = Client(version)
    with Serve(config(port, files, more)) as daemon:
        # some sessions are good for one use only
        session = client.session(port)
        replace_worker(daemon)
        assert client.resumes(port, session)
        session = client.session(port)
        reload(daemon)
        assert client.resumes(port, session)


def test_a_shared_cache_is_lost_with_its_size(port: int, files: Path) -> None:
    client = Client(ssl.TLSVersion.TLSv1_2)
    with Serve(config(port, files, SHARED_CACHE)) as daemon:
        session = client.session(port)
        daemon.configure(config(port, files, SHARED_CACHE.replace("1m", "2m")))
        reload(daemon)
        assert not client.resumes(port, session)


def test_nodes_with_the_same_key_file_resume_each_other_s_sessions(port: int, files: Path) -> None:
    (files / "ticket.key").write_bytes(os.urandom(80))
    # sessions belong to a block, which is named after its socket unless it has a name
    more = f"ssl_session_ticket_key {files}/ticket.key; name mail;"
    client, other, stranger = Client(), free_port(), free_port()
    with (
        Serve(config(port, files, more)),
        Serve(config(port, files, more).replace(f":{port} ", f":{other} ")),
        Serve(config(stranger, files, "name mail;")),
    ):
        session = client.session(port)
        assert not client.resumes(stranger, session)
        assert client.resumes(other, client.session(port))
