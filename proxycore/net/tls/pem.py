"""PEM text to OpenSSL's objects, each owned by Python."""

from typing import Any

from proxycore.net.tls.libssl import NULL, crypto, errors, ffi, owned, reading
from proxycore.net.tls.refused import Refused


def certificates(text: bytes, setting: str, cannot: str) -> list[Any]:
    """Read certificates in order, at least one. ``cannot``: how a complaint begins."""
    crypto.ERR_clear_error()
    found = []
    with reading(text) as bio:
        pointer = crypto.PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL)
        if pointer == NULL:
            raise Refused(setting, f"{cannot}: PEM_read_bio_X509_AUX() failed {errors()}")
        while pointer != NULL:
            found.append(owned(pointer, crypto.X509_free))
            pointer = crypto.PEM_read_bio_X509(bio, NULL, NULL, NULL)
    # the last attempt found the end of the text
    crypto.ERR_clear_error()
    return found


def private_key(text: bytes, passphrases: list[bytes], setting: str, cannot: str) -> Any:
    """Read a private key, trying each passphrase in turn if it has one."""
    # without any, an empty one keeps OpenSSL from asking at a terminal
    for passphrase in passphrases or [b""]:
        crypto.ERR_clear_error()
        with reading(text) as bio:
            room = ffi.new("char[]", passphrase)
            pointer = crypto.PEM_read_bio_PrivateKey(bio, NULL, NULL, room)
        if pointer != NULL:
            return owned(pointer, crypto.EVP_PKEY_free)
    raise Refused(setting, f"{cannot}: PEM_read_bio_PrivateKey() failed {errors()}")


def revocations(text: bytes, setting: str, cannot: str) -> list[Any]:
    """Read revocation lists, at least one. ``cannot``: how a complaint begins."""
    crypto.ERR_clear_error()
    found = []
    with reading(text) as bio:
        while True:
            pointer = crypto.PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL)
            if pointer == NULL:
                break
            found.append(owned(pointer, crypto.X509_CRL_free))
    if not found:
        raise Refused(setting, f"{cannot}: PEM_read_bio_X509_CRL() failed {errors()}")
    crypto.ERR_clear_error()
    return found


def parameters(text: bytes, setting: str, shown: str) -> Any:
    """Read DH parameters. The caller frees them, or gives them away."""
    crypto.ERR_clear_error()
    with reading(text) as bio:
        pointer = crypto.PEM_read_bio_Parameters(bio, NULL)
    if pointer == NULL:
        raise Refused(setting, f'PEM_read_bio_DHparams("{shown}") failed {errors()}')
    return pointer
