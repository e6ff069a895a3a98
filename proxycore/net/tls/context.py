"""What contexts of both legs are made of: protocols, ciphers, certificates, trust, commands.

Order as in nginx: protocols, ciphers, certificates, verification, parameters, sessions, and
``ssl_conf_command`` last, because it may override anything.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from proxycore.contract.secret import Secret
from proxycore.contract.tls import ConfCommand
from proxycore.net.tls import pem
from proxycore.net.tls.libssl import (
    CONF_FLAGS,
    CRL_CHECK_ALL,
    CTRL_CHAIN_CERT,
    CTRL_GROUPS_LIST,
    CTRL_MAX_VERSION,
    CTRL_MIN_VERSION,
    CTRL_MODE,
    MODE,
    NULL,
    OP_NO,
    OP_NO_COMPRESSION,
    OP_NO_RENEGOTIATION,
    TLS1_3,
    crypto,
    errors,
    ffi,
    ssl,
)
from proxycore.net.tls.material import (
    AUTHORITIES,
    CERTIFICATE,
    KEY,
    REVOCATIONS,
    content,
    secret_content,
    shown,
)
from proxycore.net.tls.refused import Refused

_ADD: Final = 1
"""A chain certificate is shared with us, not given away."""

_CERTIFICATE: Final = "certificate"
_PRIVATE_KEY: Final = "privatekey"


def new_context(method: Any, protocols: Sequence[str]) -> Any:
    """Make an SSL_CTX that speaks ``protocols``: no compression, no renegotiation."""
    pointer = ffi.gc(ssl.SSL_CTX_new(method), ssl.SSL_CTX_free)
    if pointer == NULL:
        raise Refused("ssl_protocols", f"SSL_CTX_new() failed {errors()}")
    # the system's openssl.cnf may have set limits; nginx lifts them, too
    ssl.SSL_CTX_ctrl(pointer, CTRL_MIN_VERSION, 0, NULL)
    ssl.SSL_CTX_ctrl(pointer, CTRL_MAX_VERSION, TLS1_3, NULL)
    options = OP_NO_COMPRESSION | OP_NO_RENEGOTIATION
    for name, option in OP_NO.items():
        if name not in protocols:
            options |= option
    ssl.SSL_CTX_set_options(pointer, options)
    ssl.SSL_CTX_ctrl(pointer, CTRL_MODE, MODE, NULL)
    return pointer


def unprovided(protocols: Iterable[str]) -> list[str]:
    """Give a notice for each protocol that OpenSSL does not have any more."""
    return [
        f"{name} is not supported by OpenSSL any more, ignored"
        for name in protocols
        if name in ("SSLv2", "SSLv3")
    ]


def set_ciphers(pointer: Any, ciphers: str, setting: str) -> None:
    """Set the ciphers of TLS 1.2 and older."""
    crypto.ERR_clear_error()
    if ssl.SSL_CTX_set_cipher_list(pointer, ciphers.encode()) != 1:
        raise Refused(setting, f'SSL_CTX_set_cipher_list("{ciphers}") failed {errors()}')


def set_curves(pointer: Any, curves: str, setting: str) -> None:
    """Set the groups of the key exchange."""
    if curves == "auto":
        return
    crypto.ERR_clear_error()
    if ssl.SSL_CTX_ctrl(pointer, CTRL_GROUPS_LIST, 0, _string(curves)) != 1:
        raise Refused(setting, f'SSL_CTX_set1_curves_list("{curves}") failed {errors()}')


def use_certificate(
    pointer: Any,
    chain: str,
    key: Secret,
    passphrases: list[bytes],
    settings: tuple[str, str],
    notices: list[str],
) -> Any:
    """Present a certificate; give it. Beside others of different kinds of key.

    notices: is told of a key of another kind than the certificate's, which OpenSSL and so nginx
        take: no client will ever see that certificate.
    """
    leaf = use_chain(pointer, chain, settings[0])
    private = use_key(pointer, key, passphrases, settings[1])
    if crypto.X509_check_private_key(leaf, private) != 1:
        crypto.ERR_clear_error()
        notices.append(
            f'"{shown(key)}" is not the key of certificate "{shown(chain)}", '
            "which cannot be used without its own"
        )
    return leaf


def use_chain(pointer: Any, chain: str, setting: str) -> Any:
    """Present a certificate with its chain; its key must follow. Gives the certificate."""
    text = content(chain, setting, CERTIFICATE)
    leaf, *rest = pem.certificates(text, setting, f'cannot load certificate "{shown(chain)}"')
    if ssl.SSL_CTX_use_certificate(pointer, leaf) != 1:
        message = f'SSL_CTX_use_certificate("{shown(chain)}") failed {errors()}'
        raise Refused(setting, message)
    for certificate in rest:
        if ssl.SSL_CTX_ctrl(pointer, CTRL_CHAIN_CERT, _ADD, certificate) != 1:
            message = f'SSL_CTX_add1_chain_cert("{shown(chain)}") failed {errors()}'
            raise Refused(setting, message)
    return leaf


def use_key(pointer: Any, key: Secret, passphrases: list[bytes], setting: str) -> Any:
    """Use the key of the certificate set last; give it."""
    text = secret_content(key, setting, KEY)
    cannot = f'cannot load certificate key "{shown(key)}"'
    private = pem.private_key(text, passphrases, setting, cannot)
    if ssl.SSL_CTX_use_PrivateKey(pointer, private) != 1:
        raise Refused(setting, f'SSL_CTX_use_PrivateKey("{shown(key)}") failed {errors()}')
    return private


def trust(pointer: Any, bundle: str, setting: str, *, announced: bool = False) -> None:
    """Trust authorities; ``announced`` tells clients their names."""
    if not bundle:
        return
    text = content(bundle, setting, AUTHORITIES)
    cannot = AUTHORITIES.replace("{}", shown(bundle))
    store = ssl.SSL_CTX_get_cert_store(pointer)
    for authority in pem.certificates(text, setting, cannot):
        crypto.X509_STORE_add_cert(store, authority)
        if announced:
            ssl.SSL_CTX_add_client_CA(pointer, authority)


def revoke(pointer: Any, lists: str, setting: str) -> None:
    """Check whole chains against revocation lists; an authority without one is then a fault."""
    if not lists:
        return
    store = ssl.SSL_CTX_get_cert_store(pointer)
    cannot = REVOCATIONS.replace("{}", shown(lists))
    for revocation in pem.revocations(content(lists, setting, REVOCATIONS), setting, cannot):
        crypto.X509_STORE_add_crl(store, revocation)
    crypto.X509_STORE_set_flags(store, CRL_CHECK_ALL)


def run_commands(
    pointer: Any, commands: Sequence[ConfCommand], passphrases: list[bytes], setting: str
) -> None:
    """Give commands to OpenSSL; ``Certificate`` and ``PrivateKey`` may also have content."""
    configuration = ffi.gc(ssl.SSL_CONF_CTX_new(), ssl.SSL_CONF_CTX_free)
    ssl.SSL_CONF_CTX_set_flags(configuration, CONF_FLAGS)
    ssl.SSL_CONF_CTX_set_ssl_ctx(configuration, pointer)
    for command in commands:
        name = command.name.lower()
        if name == _CERTIFICATE:
            use_chain(pointer, command.value, setting)
            continue
        if name == _PRIVATE_KEY:
            use_key(pointer, Secret(command.value), passphrases, setting)
            continue
        crypto.ERR_clear_error()
        result = ssl.SSL_CONF_cmd(configuration, command.name.encode(), command.value.encode())
        if result <= 0:
            words = f'SSL_CONF_cmd("{command.name}", "{command.value}") failed {errors()}'
            raise Refused(setting, words)
    crypto.ERR_clear_error()
    if commands and ssl.SSL_CONF_CTX_finish(configuration) != 1:
        raise Refused(setting, f"SSL_CONF_CTX_finish() failed {errors()}")


def _string(text: str) -> Any:
    return ffi.new("char[]", text.encode())
