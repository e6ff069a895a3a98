"""What the supervisor does for TLS before workers hear of it: files, caches, keys of tickets."""

import asyncio
import base64
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from proxycore.contract.listen import Listen
from proxycore.contract.protocol import Protocol
from proxycore.contract.secret import Secret
from proxycore.contract.snapshot import AuthHttp, Server, Snapshot
from proxycore.contract.tls import BackTls, Certificate, FrontTls
from proxycore.daemon import ticket_keys
from proxycore.daemon.state import GIVEN_KEYS_FILE, TICKET_FILE, StateDir
from proxycore.daemon.ticket_keys import EPOCH_S, KEPT_S, SECRET_BYTES, TicketRing
from proxycore.daemon.tls_files import secure
from proxycore.daemon.zones import Zones
from tests.support.pki import self_signed

PAIR = self_signed("a.example")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    PAIR.write(tmp_path, "a")
    return tmp_path


def block(files: Path, number: int = 0, **tls: Any) -> Server:
    pair = Certificate(
        ssl_certificate=f"{files}/a.crt", ssl_certificate_key=Secret(f"{files}/a.key")
    )
    return Server(
        name=f"s{number}",
        protocol=Protocol.IMAP,
        listens=(Listen(port=993 + number, ssl=True),),
        auth_http=AuthHttp(host="127.0.0.1"),
        front_tls=replace(FrontTls(certificates=(pair,)), **tls),
    )


def snapshot(*servers: Server) -> Snapshot:
    return Snapshot(servers=servers)


# --- files --------------------------------------------------------------------------------------


def test_paths_become_content(files: Path) -> None:
    secured = secure(snapshot(block(files), block(files, 1)))
    assert secured.problems == []
    for server in secured.snapshot.servers:
        (pair,) = server.front_tls.certificates
        assert pair.ssl_certificate == "data:" + PAIR.pem
        assert pair.ssl_certificate_key.reveal() == "data:" + PAIR.key_pem


def test_what_cannot_be_used_is_told_by_the_path_of_its_setting(files: Path) -> None:
    back = BackTls(proxy_ssl="implicit", proxy_ssl_trusted_certificate=f"{files}/none")
    secured = secure(
        snapshot(
            block(files),
            block(files, 1, ssl_ciphers="BOGUS"),
            replace(block(files, 2), back_tls=back),
            block(
                files,
                3,
                certificates=(
                    Certificate(
                        ssl_certificate=f"{files}/a.key",
                        ssl_certificate_key=Secret(f"{files}/a.key"),
                    ),
                ),
            ),
        )
    )
    assert [problem.path for problem in secured.problems] == [
        "servers[1].front_tls.ssl_ciphers",
        "servers[3].front_tls.certificates",
        "servers[2].back_tls.proxy_ssl_trusted_certificate",
    ]
    assert f'cannot load certificate "{files}/a.key"' in secured.problems[1].message


def test_what_runs_already_is_not_remarked_again(files: Path) -> None:
    wanted = snapshot(block(files, ssl_protocols=("SSLv3", "TLSv1.2")))
    first = secure(wanted)
    assert [notice.path for notice in first.notices] == ["servers[0].front_tls"]
    assert secure(wanted, first.snapshot).notices == []


def test_a_renewed_file_makes_another_snapshot(files: Path) -> None:
    before = secure(snapshot(block(files))).snapshot
    assert secure(snapshot(block(files)), before).snapshot.digest() == before.digest()
    self_signed("a.example").write(files, "a")
    assert secure(snapshot(block(files)), before).snapshot.digest() != before.digest()


def test_files_of_blocks_without_tls_are_not_looked_for(files: Path) -> None:
    plain = replace(block(files / "none"), listens=(Listen(port=143),))
    assert secure(snapshot(plain)).problems == []
    assert secure(snapshot(plain, block(files, 1))).problems == []


# --- caches -------------------------------------------------------------------------------------

STORED: dict[str, Any] = {"ssl_session_cache": "stored", "ssl_session_cache_shared_name": "TLS"}


def test_a_cache_is_kept_while_name_and_size_are_the_same(files: Path) -> None:
    zones = Zones()
    one, other = (
        snapshot(block(files, **STORED, ssl_session_cache_shared_bytes=size))
        for size in (40_000, 50_000)
    )
    first = zones.wanted(one)["TLS"]
    assert os.fstat(first.fileno()).st_size == 40_000
    zones.settle(one)
    assert zones.wanted(one)["TLS"] is first
    second = zones.wanted(other)["TLS"]
    assert second is not first
    zones.settle(other)
    assert first.fileno() == -1
    assert second.fileno() >= 0
    zones.settle(None)
    assert second.fileno() == -1


def test_only_a_cache_that_is_used_has_memory(files: Path) -> None:
    unused = replace(block(files, **STORED), listens=(Listen(port=143),))
    off = block(files, 1, **{**STORED, "ssl_session_cache": "off"})
    assert Zones().wanted(snapshot(unused, off)) == {}


# --- ticket keys --------------------------------------------------------------------------------


def test_keys_change_every_hour_and_the_last_are_still_known() -> None:
    now = 10.0 * EPOCH_S
    ring = TicketRing(b"s" * SECRET_BYTES, clock=lambda: now)
    first = ring.keys()
    assert [len(base64.b64decode(key)) for key in first] == [80, 80]
    now += EPOCH_S - 1
    assert ring.keys() == first
    now += 1
    assert ring.keys()[1:] == first[:1]
    assert TicketRing(b"t" * SECRET_BYTES, clock=lambda: now).keys() != ring.keys()


def test_workers_are_told_of_other_keys_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ticket_keys, "_LOOK_S", 0.001)
    times = iter([0.0, 1.0, 2.0, *[EPOCH_S + 1.0] * 1000])
    told: list[list[str]] = []

    async def renew(keys: list[str]) -> None:
        told.append(keys)

    async def watch() -> None:
        ring = TicketRing(b"s" * SECRET_BYTES, clock=lambda: next(times))
        async with asyncio.timeout(0.2):
            await ring.watch(renew)

    with pytest.raises(TimeoutError):
        asyncio.run(watch())
    assert told == [TicketRing(b"s" * SECRET_BYTES, clock=lambda: EPOCH_S + 1.0).keys()]


def test_keys_of_the_appliance_come_first_until_they_are_a_day_old() -> None:
    now = 10.0 * EPOCH_S
    ring = TicketRing(b"s" * SECRET_BYTES, clock=lambda: now)
    own = ring.keys()
    ring.take(7, (Secret("Y3VycmVudA=="), Secret("bmV4dA==")))
    assert ring.keys() == ["Y3VycmVudA==", "bmV4dA==", *own]
    now += KEPT_S
    assert ring.keys() == TicketRing(b"s" * SECRET_BYTES, clock=lambda: now).keys()


def test_keys_of_the_appliance_are_kept_and_damaged_ones_ignored(tmp_path: Path) -> None:
    state = StateDir(str(tmp_path))
    assert state.given_keys() is None
    given = TicketRing(b"s" * SECRET_BYTES).take(7, (Secret("Y3VycmVudA=="),))
    state.keep_given_keys(given)
    assert state.given_keys() == given
    file = tmp_path / GIVEN_KEYS_FILE
    assert file.stat().st_mode & 0o777 == 0o600
    file.write_text('{"number": 7}')
    assert state.given_keys() is None


def test_a_node_keeps_its_secret_to_itself(tmp_path: Path) -> None:
    state = StateDir(str(tmp_path / "node"))
    state.ensure()
    secret = state.ticket_secret()
    assert len(secret) == SECRET_BYTES
    assert StateDir(str(tmp_path / "node")).ticket_secret() == secret
    file = tmp_path / "node" / TICKET_FILE
    assert file.stat().st_mode & 0o777 == 0o600
    file.write_bytes(b"short")
    assert len(state.ticket_secret()) == SECRET_BYTES
