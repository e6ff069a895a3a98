"""A relay is a pipe: a 200 MB message is carried byte for byte in constant memory."""

import base64
import hashlib
import random
import re
import socket
import time
from collections.abc import Iterator
from typing import BinaryIO

import pytest

from tests.support import cast, process
from tests.support.dovecot import Dovecot
from tests.support.fronts import Front
from tests.support.proxycore import Proxycore

_MIB = 1 << 20
_SIZE = 200 * 1000 * 1000
_MAY_GROW_BYTES = 16 * _MIB
"""Far below the message, far above what an allocator keeps to itself."""

_STALL_S = 1.0
"""How long the client reads nothing while the mail server has all to send: who buffers, grows."""


def _lines(size: int) -> Iterator[bytes]:
    """Give a message of at least ``size`` octets in chunks; the same at every call."""
    yield b"From: big@postroad.test\r\nSubject: big\r\n\r\n"
    source = random.Random(20_090_401)
    while size > 0:
        text = base64.b64encode(source.randbytes(57 * 4096))
        chunk = b"".join(text[at : at + 76] + b"\r\n" for at in range(0, len(text), 76))
        size -= len(chunk)
        yield chunk


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_200_mb_by_imap_are_byte_identical_and_memory_does_not_grow(
    standalone_front: tuple[Front, Proxycore], mailhost02: Dovecot
) -> None:
    front, daemon = standalone_front
    mailhost02.deliver_chunks("bigmail", _lines(_SIZE))
    expected = hashlib.sha256()
    for chunk in _lines(_SIZE):
        expected.update(chunk)
    workers = daemon.workers()
    before = {pid: process.resident_bytes(pid) for pid in workers}

    with socket.create_connection(("127.0.0.1", front.imap), 60) as connection:
        digest, size, peaks = _download(connection, workers)

    assert size >= _SIZE
    assert digest == expected.hexdigest()
    grown = max(peaks[pid] - before[pid] for pid in workers)
    assert grown < _MAY_GROW_BYTES


def _download(connection: socket.socket, workers: list[int]) -> tuple[str, int, dict[int, int]]:
    """Fetch the newest message; give its SHA-256, size, and each worker's peak memory."""
    file = connection.makefile("rb")
    try:
        password = cast.PASSWORDS["bigmail"].encode()
        connection.sendall(b'a LOGIN bigmail "%b"\r\n' % password)
        _skip_to(file, b"a OK")
        connection.sendall(b"b SELECT INBOX\r\n")
        _skip_to(file, b"b OK")
        connection.sendall(b"c FETCH * BODY.PEEK[]\r\n")
        header = file.readline()
        found = re.search(rb"\{(\d+)\}\r\n$", header)
        assert found, header
        left = size = int(found.group(1))
        digest = hashlib.sha256()
        peaks = dict.fromkeys(workers, 0)
        stalled_until = time.monotonic() + _STALL_S
        while time.monotonic() < stalled_until:
            _note_peaks(peaks)
        while left:
            data = file.read(min(left, _MIB))
            assert data, f"the session ended {left} octets too early"
            digest.update(data)
            left -= len(data)
            _note_peaks(peaks)
        assert file.readline() == b")\r\n"
        _skip_to(file, b"c OK")
        return digest.hexdigest(), size, peaks
    finally:
        file.close()


def _note_peaks(peaks: dict[int, int]) -> None:
    for pid in peaks:
        peaks[pid] = max(peaks[pid], process.resident_bytes(pid))


def _skip_to(file: BinaryIO, start: bytes) -> None:
    while not (line := file.readline()).startswith(start):
        assert line.startswith(b"* "), line
