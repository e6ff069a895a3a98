"""Our C declarations against OpenSSL's own headers: what differs does not compile."""

import re
import subprocess
from pathlib import Path

import pytest

from proxycore.net.tls import declarations, libssl
from tests.support.require import missing, program

HEADERS = ("ssl", "err", "pem", "x509v3", "params")

CONSTANTS = {
    "SSL_OP_NO_TICKET": libssl.OP_NO_TICKET,
    "SSL_OP_NO_COMPRESSION": libssl.OP_NO_COMPRESSION,
    "SSL_OP_CIPHER_SERVER_PREFERENCE": libssl.OP_CIPHER_SERVER_PREFERENCE,
    "SSL_OP_NO_RENEGOTIATION": libssl.OP_NO_RENEGOTIATION,
    "SSL_OP_NO_SSLv3": libssl.OP_NO["SSLv3"],
    "SSL_OP_NO_TLSv1": libssl.OP_NO["TLSv1"],
    "SSL_OP_NO_TLSv1_1": libssl.OP_NO["TLSv1.1"],
    "SSL_OP_NO_TLSv1_2": libssl.OP_NO["TLSv1.2"],
    "SSL_OP_NO_TLSv1_3": libssl.OP_NO["TLSv1.3"],
    "(SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER"
    " | SSL_MODE_NO_AUTO_CHAIN | SSL_MODE_RELEASE_BUFFERS)": libssl.MODE,
    "SSL_CTRL_MODE": libssl.CTRL_MODE,
    "SSL_CTRL_SET_SESS_CACHE_SIZE": libssl.CTRL_SESS_CACHE_SIZE,
    "SSL_CTRL_SET_SESS_CACHE_MODE": libssl.CTRL_SESS_CACHE_MODE,
    "SSL_CTRL_SET_TLSEXT_HOSTNAME": libssl.CTRL_SERVER_NAME,
    "SSL_CTRL_CHAIN_CERT": libssl.CTRL_CHAIN_CERT,
    "SSL_CTRL_SET_GROUPS_LIST": libssl.CTRL_GROUPS_LIST,
    "SSL_CTRL_SET_MIN_PROTO_VERSION": libssl.CTRL_MIN_VERSION,
    "SSL_CTRL_SET_MAX_PROTO_VERSION": libssl.CTRL_MAX_VERSION,
    "BIO_CTRL_RESET": libssl.CTRL_BIO_RESET,
    "TLS1_3_VERSION": libssl.TLS1_3,
    "SSL_SESS_CACHE_OFF": libssl.SESS_CACHE_OFF,
    "SSL_SESS_CACHE_CLIENT": libssl.SESS_CACHE_CLIENT,
    "SSL_SESS_CACHE_SERVER": libssl.SESS_CACHE_SERVER,
    "SSL_SESS_CACHE_NO_AUTO_CLEAR": libssl.SESS_CACHE_NO_AUTO_CLEAR,
    "SSL_SESS_CACHE_NO_INTERNAL_STORE": libssl.SESS_CACHE_NO_INTERNAL_STORE,
    "SSL_SESS_CACHE_NO_INTERNAL": libssl.SESS_CACHE_NO_INTERNAL,
    "SSL_VERIFY_NONE": libssl.VERIFY_NONE,
    "SSL_VERIFY_PEER": libssl.VERIFY_PEER,
    "SSL_ERROR_WANT_READ": libssl.WANT_READ,
    "SSL_ERROR_ZERO_RETURN": libssl.ZERO_RETURN,
    "(SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN)": libssl.SHUTDOWN_BOTH,
    "(SSL_CONF_FLAG_FILE | SSL_CONF_FLAG_CLIENT | SSL_CONF_FLAG_SERVER"
    " | SSL_CONF_FLAG_SHOW_ERRORS | SSL_CONF_FLAG_CERTIFICATE)": libssl.CONF_FLAGS,
    "(X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL)": libssl.CRL_CHECK_ALL,
    "X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS": libssl.NO_PARTIAL_WILDCARDS,
    "SSL_TLSEXT_ERR_OK": libssl.TLSEXT_OK,
    "SSL_TLSEXT_ERR_ALERT_FATAL": libssl.TLSEXT_FATAL,
    "SSL_TLSEXT_ERR_NOACK": libssl.TLSEXT_NOACK,
    "XN_FLAG_RFC2253": 0x1110317,
    "NID_subject_alt_name": 85,
    "X509_V_ERR_APPLICATION_VERIFICATION": 50,
    "sizeof(OSSL_PARAM)": libssl.ffi.sizeof("OSSL_PARAM"),
}


def declared(library: str) -> list[str]:
    return [" ".join(part.split()) for part in library.split(";") if part.strip()]


def test_every_declaration_and_constant_is_openssl_s(tmp_path: Path) -> None:
    """Declare each function again behind the headers: C refuses one of another type."""
    if not Path("/usr/include/openssl/ssl.h").exists():
        missing("OpenSSL's headers are not installed")
    lines = [f"#include <openssl/{header}.h>" for header in HEADERS]
    lines += [f"extern {one};" for one in declared(declarations.LIBCRYPTO + declarations.LIBSSL)]
    lines += [f'_Static_assert({name} == {value}, "{name}");' for name, value in CONSTANTS.items()]
    source = tmp_path / "declared.c"
    source.write_text("\n".join(lines) + "\n")
    compiler = [program("cc"), "-std=c11", "-fsyntax-only", "-Werror", "-Wno-deprecated"]
    done = subprocess.run([*compiler, source], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_every_constant_is_compared() -> None:
    compared = set(CONSTANTS.values())
    ours = {
        name: value
        for name, value in vars(libssl).items()
        if name.isupper() and isinstance(value, int) and name not in ("OLDEST", "_LINE_BYTES")
    }
    assert {name for name, value in ours.items() if value not in compared} == set()


@pytest.mark.parametrize(
    ("libraries", "words"),
    [(("libnowhere.so.3",), "TLS needs OpenSSL 3"), (("libc.so.6",), "OpenSSL_version_num")],
)
def test_a_machine_without_openssl_3_is_told_so(
    libraries: tuple[str, ...], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = libssl.FFI.dlopen
    monkeypatch.setattr(libssl.FFI, "dlopen", lambda ffi, _name: opened(ffi, *libraries))
    with pytest.raises(libssl.Unavailable, match=words):
        libssl._open()


@pytest.mark.parametrize("library", [declarations.LIBCRYPTO, declarations.LIBSSL])
def test_every_declared_function_is_in_the_library_and_used(library: str) -> None:
    names = [
        found.group(1)
        for one in declared(library)
        if (found := re.match(r"[^()]*?(\w+)\(", one)) is not None
    ]
    opened = libssl.ssl if library is declarations.LIBSSL else libssl.crypto
    assert len(names) > 40
    assert all(getattr(opened, name) for name in names)
    folder = Path(libssl.__file__).parent
    source = "".join(
        path.read_text() for path in folder.glob("*.py") if path.name != "declarations.py"
    )
    assert [name for name in names if f".{name}" not in source] == []
