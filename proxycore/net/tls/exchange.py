"""The one pair of BIOs all connections of a worker use, and which of them is using it now.

An operation of an endpoint is ``begin``, OpenSSL's calls, and ``finish`` in a ``finally``. After
``finish`` both BIOs are empty, whatever happened, so nothing of one connection can come out of
another (ADR-0013). Each call across to OpenSSL is half a microsecond, so none is made whose
answer is known.
"""

from typing import Any, Final

from proxycore.net.tls.libssl import CTRL_BIO_RESET, NULL, crypto, ffi, ssl

ROOM_BYTES: Final = 131_072

inward: Final[Any] = crypto.BIO_new(crypto.BIO_s_mem())
outward: Final[Any] = crypto.BIO_new(crypto.BIO_s_mem())
room: Final[Any] = ffi.new("unsigned char[]", ROOM_BYTES)
"""Where OpenSSL writes what Python then copies out."""
_view: Final[Any] = ffi.buffer(room)

current: Any = None
"""The endpoint that is running; callbacks ask it. None between operations."""

_holds_input = False
"""Something may be left of what the running endpoint has received."""

_bug: BaseException | None = None
"""Raised by a callback of ours: OpenSSL cannot carry it, so ``finish`` raises it."""


def note_bug(_kind: Any, bug: BaseException, _trace: Any) -> None:
    """Take an exception out of a callback (cffi's ``onerror``)."""
    global _bug
    _bug = bug


def begin(endpoint: Any) -> None:
    """Let ``endpoint`` use the BIOs."""
    global current
    assert current is None, "an endpoint ran inside another"
    current = endpoint


def receive(data: bytes) -> None:
    """Give OpenSSL what has been received."""
    global _holds_input
    # SSL_get_error asks the queue, too
    crypto.ERR_clear_error()
    if data:
        _holds_input = True
        crypto.BIO_write(inward, data, len(data))


def all_read() -> None:
    """Note that OpenSSL has found the end of what was received: it wants to read more."""
    global _holds_input
    _holds_input = False


def holds_input() -> bool:
    """Look whether something is left of what was received."""
    global _holds_input
    if _holds_input:
        _holds_input = bool(crypto.BIO_ctrl_pending(inward))
    return _holds_input


def finish() -> bytes:
    """Give what is to be sent, and leave both BIOs empty. Raises what a callback raised."""
    global current, _bug
    current = None
    if _holds_input and holds_input():
        # of a connection that failed
        crypto.BIO_ctrl(inward, CTRL_BIO_RESET, 0, NULL)
        all_read()
    size = crypto.BIO_read(outward, room, ROOM_BYTES)
    out = taken(size) if size > 0 else b""
    while size == ROOM_BYTES:
        size = crypto.BIO_read(outward, room, ROOM_BYTES)
        out += taken(size) if size > 0 else b""
    if _bug is not None:
        bug, _bug = _bug, None
        raise bug
    return out


def taken(size: int) -> bytes:
    """Copy the first octets of ``room``."""
    octets: bytes = _view[:size]
    return octets


def lend(pointer: Any) -> None:
    """Make an SSL use the BIOs; it holds a reference to each for as long as it lives."""
    crypto.BIO_up_ref(inward)
    crypto.BIO_up_ref(outward)
    ssl.SSL_set_bio(pointer, inward, outward)
