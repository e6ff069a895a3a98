"""The system's OpenSSL 3, opened once, and how its errors read.

Importing raises ``Unavailable`` where there is none. The declarations are ours (``declarations``).
cffi reads them here (ABI mode) and calls by libffi; in the compiled copy of the data plane
(ADR-0036) the same declarations are a C module, whose calls cost a third. One thread only, as all
of ``net``.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from cffi import FFI  # type: ignore[import-untyped]

from proxycore.net.tls import declarations

OLDEST: Final = 0x30000000
"""OpenSSL 3.0.0; its successors keep the interface (soname 3)."""


class Unavailable(ImportError):
    """There is no OpenSSL 3 on this machine."""


def _open() -> tuple[Any, Any, Any]:
    ffi = FFI()
    ffi.cdef(declarations.ALL)
    try:
        crypto, ssl = ffi.dlopen("libcrypto.so.3"), ffi.dlopen("libssl.so.3")
        version = crypto.OpenSSL_version_num()
    except (OSError, AttributeError) as problem:
        raise Unavailable(f"TLS needs OpenSSL 3 (Debian: libssl3): {problem}") from None
    if version < OLDEST:
        raise Unavailable("TLS needs OpenSSL 3.0 or later")
    return ffi, crypto, ssl


try:
    from proxycore.net.tls import _openssl  # type: ignore[attr-defined]

    ffi, crypto, ssl = _openssl.ffi, _openssl.lib, _openssl.lib
except ImportError:
    # the sources: there is none
    ffi, crypto, ssl = _open()

NULL: Final = ffi.NULL
VERSION: Final[str] = ffi.string(crypto.OpenSSL_version(0)).decode()

# What the headers have as macros. include/openssl/ssl.h, bio.h, tls1.h, x509_vfy.h
OP_NO_TICKET: Final = 1 << 14
OP_NO_COMPRESSION: Final = 1 << 17
OP_CIPHER_SERVER_PREFERENCE: Final = 1 << 22
OP_NO_RENEGOTIATION: Final = 1 << 30
OP_NO: Final = {
    "SSLv3": 1 << 25,
    "TLSv1": 1 << 26,
    "TLSv1.1": 1 << 28,
    "TLSv1.2": 1 << 27,
    "TLSv1.3": 1 << 29,
}
MODE: Final = 0x1 | 0x2 | 0x8 | 0x10
"""Partial writes, from a buffer that may move; send the chain that was given and none found among
trusted certificates; release buffers that hold nothing."""
CTRL_MODE: Final = 33
CTRL_SESS_CACHE_SIZE: Final = 42
CTRL_SESS_CACHE_MODE: Final = 44
CTRL_SERVER_NAME: Final = 55
CTRL_CHAIN_CERT: Final = 89
CTRL_GROUPS_LIST: Final = 92
CTRL_MIN_VERSION: Final = 123
CTRL_BIO_RESET: Final = 1
SESS_CACHE_OFF: Final = 0
SESS_CACHE_CLIENT: Final = 0x1
SESS_CACHE_SERVER: Final = 0x2
SESS_CACHE_NO_AUTO_CLEAR: Final = 0x80
SESS_CACHE_NO_INTERNAL_STORE: Final = 0x200
SESS_CACHE_NO_INTERNAL: Final = 0x300
VERIFY_NONE: Final = 0
VERIFY_PEER: Final = 1
WANT_READ: Final = 2
ZERO_RETURN: Final = 6
SHUTDOWN_BOTH: Final = 3
CTRL_MAX_VERSION: Final = 124
TLS1_3: Final = 0x0304
CONF_FLAGS: Final = 0x2 | 0x4 | 0x8 | 0x10 | 0x20
"""FILE, CLIENT, SERVER, SHOW_ERRORS, CERTIFICATE: as nginx sets them."""
CRL_CHECK_ALL: Final = 0x4 | 0x8
NO_PARTIAL_WILDCARDS: Final = 0x4
TLSEXT_OK: Final = 0
TLSEXT_FATAL: Final = 2
TLSEXT_NOACK: Final = 3

_LINE_BYTES = 256
_text = ffi.new("char[]", _LINE_BYTES)
_more = ffi.new("const char **")
_flags = ffi.new("int *")
_HAS_TEXT = 0x02


def errors() -> str:
    """Take OpenSSL's queue of errors, oldest first, as nginx writes it: ``(SSL: error:...)``."""
    found = []
    while code := crypto.ERR_get_error_all(NULL, NULL, NULL, _more, _flags):
        crypto.ERR_error_string_n(code, _text, _LINE_BYTES)
        words = ffi.string(_text)
        if _flags[0] & _HAS_TEXT and (more := ffi.string(_more[0])):
            # such as "maybe wrong password", or the number of an alert
            words += b":" + more
        found.append(words.decode("ascii", "replace"))
    return f"(SSL: {' '.join(found)})" if found else "(SSL)"


def last_reason() -> str:
    """Give the newest error's own words, such as ``no shared cipher``; the queue stays."""
    code = crypto.ERR_peek_last_error()
    words = crypto.ERR_reason_error_string(code) if code else NULL
    return ffi.string(words).decode("ascii", "replace") if words != NULL else ""


@contextmanager
def reading(content: bytes) -> Iterator[Any]:
    """Give a BIO that reads ``content``."""
    # the BIO does not copy
    room = ffi.from_buffer(content)
    bio = crypto.BIO_new_mem_buf(room, len(content))
    try:
        yield bio
    finally:
        crypto.BIO_free(bio)


@contextmanager
def writing() -> Iterator[Any]:
    """Give a BIO to print to; ``written`` takes what is in it."""
    bio = crypto.BIO_new(crypto.BIO_s_mem())
    try:
        yield bio
    finally:
        crypto.BIO_free(bio)


def written(bio: Any) -> bytes:
    """Take all that a memory BIO holds."""
    size = crypto.BIO_ctrl_pending(bio)
    if not size:
        return b""
    room = ffi.new("unsigned char[]", size)
    got = crypto.BIO_read(bio, room, size)
    return bytes(ffi.buffer(room, max(got, 0)))


def owned(pointer: Any, free: Any) -> Any:
    """Let Python's own reference decide how long an object of OpenSSL's lives."""
    return ffi.gc(pointer, free)
