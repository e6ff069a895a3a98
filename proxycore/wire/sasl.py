"""SASL responses: base64 as lenient as nginx's, and what the mechanisms put into it.

Source: RFC 4954 §4, RFC 4616 (PLAIN), RFC 2195 (CRAM-MD5), RFC 7628 (OAUTHBEARER), Google's and
Microsoft's description of XOAUTH2; leniency: nginx ngx_decode_base64 (spec: SASL rules).
"""

import re
from binascii import a2b_base64, b2a_base64

_ALPHABET = re.compile(rb"[A-Za-z0-9+/]*")
_PADDING = (b"", None, b"==", b"=")


def decode_base64(text: bytes) -> bytes | None:
    """Decode a response; None when it is not base64.

    Decoding stops at the first ``=`` and ignores what follows; padding is optional; an empty
    text is nothing (RFC 4959 spells it ``=``).
    """
    cut = text.find(b"=")
    if cut >= 0:
        text = text[:cut]
    if _ALPHABET.fullmatch(text) is None:
        return None
    padding = _PADDING[len(text) & 3]
    return None if padding is None else a2b_base64(text + padding)


def encode_base64(value: bytes) -> bytes:
    """Encode a challenge or response, without a line end."""
    return b2a_base64(value, newline=False)


def split_plain(message: bytes) -> tuple[bytes, bytes | None] | None:
    """Split ``authzid NUL authcid NUL password`` into authcid and password; authzid is dropped.

    None without the first NUL (there is no login); the password is None without the second.
    """
    parts = message.split(b"\0", 2)
    if len(parts) < 2:
        return None
    return parts[1], parts[2] if len(parts) > 2 else None


def split_cram_md5(message: bytes) -> tuple[bytes, bytes] | None:
    """Split ``login SP digest``; None unless exactly 32 octets follow the first space."""
    login, space, digest = message.partition(b" ")
    return (login, digest) if space and len(digest) == _MD5_HEX_BYTES else None


_MD5_HEX_BYTES = 32


def split_xoauth2(message: bytes) -> tuple[bytes, bytes] | None:
    """Split ``user=U ^A auth=Bearer T ^A ^A`` into identity and token; None for anything else."""
    fields = _fields(message)
    if fields is None or b"user" not in fields:
        return None
    token = _token(fields)
    return None if not token else (fields[b"user"], token)


def split_oauthbearer(message: bytes) -> tuple[bytes, bytes] | None:
    """Split a GS2 header and fields into identity and token; None for anything else.

    Both may be empty: a token says whose it is, and a client without one asks where to get it
    (RFC 7628 §4.3). Channel binding is refused; there is nothing to bind to.
    """
    found = _GS2.match(message)
    fields = _fields(message[found.end() :]) if found else None
    if found is None or fields is None:
        return None
    token = _token(fields)
    identity = found[1] or b""
    if token is None or _BAD_SASLNAME.search(identity):
        return None
    return identity.replace(b"=2C", b",").replace(b"=3D", b"="), token


_GS2 = re.compile(rb"[ny],(?:a=([^,\0\x01]*))?,(?=\x01)")
_BAD_SASLNAME = re.compile(rb"=(?!2C|3D)")
_BEARER = re.compile(rb"(?:bearer +([A-Za-z0-9._~+/-]+=*)|())", re.IGNORECASE)


def _fields(message: bytes) -> dict[bytes, bytes] | None:
    """Read ``name=value`` fields, each ended by ^A, the last by two."""
    if not message.endswith(b"\x01\x01"):
        return None
    fields: dict[bytes, bytes] = {}
    for field in message[:-2].removeprefix(b"\x01").split(b"\x01"):
        name, equals, value = field.partition(b"=")
        if not equals or name in fields:
            return None
        fields[name] = value
    return fields


def _token(fields: dict[bytes, bytes]) -> bytes | None:
    found = _BEARER.fullmatch(fields.get(b"auth", b"-"))
    return None if found is None else found[1] or b""


def plain(login: bytes, password: bytes, master: bytes = b"") -> bytes:
    """Give the PLAIN response for a login, encoded.

    master: who authenticates on behalf of the login; the password is then the master's.
    """
    if master:
        return encode_base64(b"%b\0%b\0%b" % (login, master, password))
    return encode_base64(b"\0%b\0%b" % (login, password))


def xoauth2(login: bytes, token: bytes) -> bytes:
    """Give the XOAUTH2 response, encoded."""
    return encode_base64(b"user=%b\x01auth=Bearer %b\x01\x01" % (login, token))


def oauthbearer(login: bytes, token: bytes) -> bytes:
    """Give the OAUTHBEARER response, encoded."""
    name = login.replace(b"=", b"=3D").replace(b",", b"=2C")
    return encode_base64(b"n,a=%b,\x01auth=Bearer %b\x01\x01" % (name, token))
