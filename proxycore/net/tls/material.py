"""Certificates, keys and lists: from paths or content to octets.

Read where the privileges are (the supervisor), so that workers get content only. A message begins
as nginx's does for the same mistake.
"""

import base64
import binascii
from dataclasses import replace
from typing import Final

from proxycore.contract.secret import Secret
from proxycore.contract.tls import DATA, BackTls, Certificate, ConfCommand, FrontTls
from proxycore.net.tls.refused import Refused

_MOST_BYTES: Final = 16_777_216
"""Longest file taken; a bundle of authorities has 250 kB."""

_TICKET_KEY_BYTES: Final = (48, 80)

CERTIFICATE: Final = 'cannot load certificate "{}": open() failed'
KEY: Final = 'cannot load certificate key "{}": open() failed'
AUTHORITIES: Final = 'SSL_CTX_load_verify_locations("{}") failed'
REVOCATIONS: Final = 'X509_LOOKUP_load_file("{}") failed'
PARAMETERS: Final = 'BIO_new_file("{}") failed'
FILE: Final = 'open() "{}" failed'
"""How complaints about what cannot be read begin, with ``{}`` for the path."""

_FILE_COMMANDS: Final = frozenset({"certificate", "privatekey"})
"""Commands of ``ssl_conf_command`` whose value is a file that workers could not read."""


def content(value: str, setting: str, cannot: str) -> bytes:
    """Give what a path or a ``data:`` value holds. ``cannot``: one of the beginnings above."""
    if value.startswith(DATA):
        return value.removeprefix(DATA).encode()
    try:
        with open(value, "rb") as file:
            octets = file.read(_MOST_BYTES + 1)
    except (OSError, ValueError) as problem:
        why = (
            f"{problem.errno}: {problem.strerror}" if isinstance(problem, OSError) else "not a path"
        )
        raise Refused(setting, f"{cannot.replace('{}', value)} ({why})") from None
    if len(octets) > _MOST_BYTES:
        raise Refused(setting, f"{cannot.replace('{}', value)} (the file is too large)")
    return octets


def secret_content(value: Secret, setting: str, cannot: str) -> bytes:
    """Give what a secret path or ``data:`` value holds."""
    return content(value.reveal(), setting, cannot)


def shown(value: str | Secret) -> str:
    """Give a value for a message: a path as it is, content not at all."""
    text = value.reveal() if isinstance(value, Secret) else value
    return "data:" if text.startswith(DATA) else text


def ticket_key(value: Secret, setting: str = "ssl_session_ticket_key") -> bytes:
    """Give a ticket key: 48 or 80 octets."""
    if value.reveal().startswith(DATA):
        try:
            key = base64.b64decode(value.reveal().removeprefix(DATA), validate=True)
        except (binascii.Error, ValueError):
            raise Refused(setting, '"data:" must be 48 or 80 bytes in base64') from None
    else:
        key = secret_content(value, setting, FILE)
    if len(key) not in _TICKET_KEY_BYTES:
        raise Refused(setting, f'"{shown(value)}" must be 48 or 80 bytes')
    return key


def passphrases(value: Secret, setting: str) -> list[bytes]:
    """Give the lines of a password file, in order; none for an empty value."""
    if not value:
        return []
    text = secret_content(value, setting, FILE)
    lines = [line.rstrip(b"\r") for line in text.split(b"\n")]
    if any(len(line) > 4096 for line in lines):
        raise Refused(setting, f'too long line in "{shown(value)}"')
    return [line for line in lines if line]


def inlined_front(front: FrontTls) -> FrontTls:
    """Give the same settings with content in the place of every path. Raises ``Refused``."""
    return replace(
        front,
        certificates=tuple(
            Certificate(
                ssl_certificate=_inline(pair.ssl_certificate, "ssl_certificate", CERTIFICATE),
                ssl_certificate_key=_inline_secret(
                    pair.ssl_certificate_key, "ssl_certificate_key", KEY
                ),
            )
            for pair in front.certificates
        ),
        ssl_password_file=_inline_secret(front.ssl_password_file, "ssl_password_file", FILE),
        ssl_session_ticket_key=tuple(_inline_key(key) for key in front.ssl_session_ticket_key),
        ssl_conf_command=tuple(_inline_command(command) for command in front.ssl_conf_command),
        ssl_dhparam=_inline(front.ssl_dhparam, "ssl_dhparam", PARAMETERS),
        ssl_client_certificate=_inline(
            front.ssl_client_certificate, "ssl_client_certificate", AUTHORITIES
        ),
        ssl_trusted_certificate=_inline(
            front.ssl_trusted_certificate, "ssl_trusted_certificate", AUTHORITIES
        ),
        ssl_crl=_inline(front.ssl_crl, "ssl_crl", REVOCATIONS),
    )


def inlined_back(back: BackTls) -> BackTls:
    """Give the same settings with content in the place of every path. Raises ``Refused``."""
    return replace(
        back,
        proxy_ssl_certificate_key=_inline_secret(
            back.proxy_ssl_certificate_key,
            "proxy_ssl_certificate_key",
            KEY,
        ),
        proxy_ssl_password_file=_inline_secret(
            back.proxy_ssl_password_file, "proxy_ssl_password_file", FILE
        ),
        proxy_ssl_conf_command=tuple(
            _inline_command(command) for command in back.proxy_ssl_conf_command
        ),
        proxy_ssl_certificate=_inline(
            back.proxy_ssl_certificate, "proxy_ssl_certificate", CERTIFICATE
        ),
        proxy_ssl_trusted_certificate=_inline(
            back.proxy_ssl_trusted_certificate, "proxy_ssl_trusted_certificate", AUTHORITIES
        ),
        proxy_ssl_crl=_inline(back.proxy_ssl_crl, "proxy_ssl_crl", REVOCATIONS),
    )


def _inline(value: str, setting: str, cannot: str) -> str:
    if not value or value.startswith(DATA):
        return value
    return DATA + content(value, setting, cannot).decode("utf-8", "replace")


def _inline_secret(value: Secret, setting: str, cannot: str) -> Secret:
    return Secret(_inline(value.reveal(), setting, cannot))


def _inline_key(value: Secret) -> Secret:
    return Secret(DATA + base64.b64encode(ticket_key(value)).decode())


def _inline_command(command: ConfCommand) -> ConfCommand:
    if command.name.lower() not in _FILE_COMMANDS:
        return command
    return replace(command, value=_inline(command.value, "ssl_conf_command", CERTIFICATE))
