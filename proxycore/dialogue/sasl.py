"""SASL exchanges, shared by the three protocols.

A mechanism is a function from the initial response (None if there was none) and the session's
salt to an outcome: a challenge together with the function that takes its response, credentials,
or a failure. To add a mechanism, write that function and put it into ``MECHANISMS``; fronts and
spine stay as they are.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, final

from proxycore.dialogue.steps import Submission
from proxycore.wire.sasl import (
    decode_base64,
    encode_base64,
    split_cram_md5,
    split_oauthbearer,
    split_plain,
    split_xoauth2,
)


@final
class Challenge:
    """Say this (base64), and give the response to ``take``."""

    __slots__ = ("take", "text")

    def __init__(self, text: bytes, take: "Take") -> None:
        self.text = text
        self.take = take


@final
class Failure:
    """The response is unusable; ``message``, if any, is for the log."""

    __slots__ = ("message",)

    def __init__(self, message: str = "") -> None:
        self.message = message


@final
class Rejection:
    """The refusal that the client hears now that it took the explanation (RFC 7628 §3.2.3)."""

    __slots__ = ("ends", "reply")

    def __init__(self, reply: bytes, *, ends: bool) -> None:
        self.reply = reply
        self.ends = ends


Outcome = Challenge | Submission | Failure | Rejection
Take = Callable[[bytes], Outcome]
Salt = Callable[[], bytes]
"""Gives the challenge of the session, made when it is asked for first."""
Start = Callable[[bytes | None, Salt], Outcome]

_ASK_USERNAME: Final = b"VXNlcm5hbWU6"
_ASK_PASSWORD: Final = b"UGFzc3dvcmQ6"  # the words "Username:", "Password:"


def _bad_base64(mechanism: str) -> Failure:
    return Failure(f"client sent invalid base64 encoding in AUTH {mechanism} command")


_PLAIN_BASE64 = _bad_base64("PLAIN")
_LOGIN_BASE64 = _bad_base64("LOGIN")
_PLAIN_LOGIN = Failure("client sent invalid login in AUTH PLAIN command")
_PLAIN_PASSWORD = Failure("client sent invalid password in AUTH PLAIN command")


def start_plain(initial: bytes | None, _salt: Salt) -> Outcome:
    """Begin PLAIN (RFC 4616)."""
    return _ASK_PLAIN if initial is None else _take_plain(initial)


def _take_plain(response: bytes) -> Outcome:
    message = decode_base64(response)
    if message is None:
        return _PLAIN_BASE64
    parts = split_plain(message)
    if parts is None:
        return _PLAIN_LOGIN
    login, password = parts
    return _PLAIN_PASSWORD if password is None else Submission("plain", login, password)


_ASK_PLAIN = Challenge(b"", _take_plain)


def start_login(initial: bytes | None, _salt: Salt) -> Outcome:
    """Begin LOGIN (draft-murchison-sasl-login), with or without the user name at once."""
    return _ASK_LOGIN_USER if initial is None else _take_login_user(initial)


def _take_login_user(response: bytes) -> Outcome:
    login = decode_base64(response)
    if login is None:
        return _LOGIN_BASE64
    return Challenge(_ASK_PASSWORD, partial(_take_login_password, login))


def _take_login_password(login: bytes, response: bytes) -> Outcome:
    password = decode_base64(response)
    return _LOGIN_BASE64 if password is None else Submission("plain", login, password)


_ASK_LOGIN_USER = Challenge(_ASK_USERNAME, _take_login_user)


def start_cram_md5(initial: bytes | None, salt: Salt) -> Outcome:
    """Begin CRAM-MD5 (RFC 2195); it has no initial response."""
    if initial is not None:
        return Failure()
    challenge = salt()
    return Challenge(encode_base64(challenge), partial(_take_cram_md5, challenge))


def _take_cram_md5(salt: bytes, response: bytes) -> Outcome:
    message = decode_base64(response)
    if message is None:
        return _CRAM_BASE64
    parts = split_cram_md5(message)
    if parts is None:
        return _CRAM_HASH
    return Submission("cram-md5", parts[0], parts[1], salt)


_CRAM_BASE64 = _bad_base64("CRAM-MD5")
_CRAM_HASH = Failure("client sent invalid CRAM-MD5 hash in AUTH CRAM-MD5 command")


def start_external(initial: bytes | None, _salt: Salt) -> Outcome:
    """Begin EXTERNAL (RFC 4422, appendix A). Who may be whom is the auth service's to say."""
    return _ASK_EXTERNAL if initial is None else _take_external(initial)


def _take_external(response: bytes) -> Outcome:
    identity = decode_base64(response)
    return _EXTERNAL_BASE64 if identity is None else Submission("external", identity, b"")


_EXTERNAL_BASE64 = _bad_base64("EXTERNAL")
_ASK_EXTERNAL = Challenge(_ASK_USERNAME, _take_external)

Split = Callable[[bytes], tuple[bytes, bytes] | None]


def _token_mechanism(method: str, split: Split) -> Start:
    """Give a mechanism whose one response is an identity and a bearer token."""
    bad_base64 = _bad_base64(method.upper())
    bad_token = Failure(f"client sent invalid token in AUTH {method.upper()} command")

    def take(response: bytes) -> Outcome:
        message = decode_base64(response)
        if message is None:
            return bad_base64
        parts = split(message)
        return bad_token if parts is None else Submission(method, *parts)

    ask = Challenge(b"", take)

    def start(initial: bytes | None, _salt: Salt) -> Outcome:
        return ask if initial is None else take(initial)

    return start


MECHANISMS: Final[dict[bytes, Start]] = {
    b"PLAIN": start_plain,
    b"LOGIN": start_login,
    b"CRAM-MD5": start_cram_md5,
    b"EXTERNAL": start_external,
    b"XOAUTH2": _token_mechanism("xoauth2", split_xoauth2),
    b"OAUTHBEARER": _token_mechanism("oauthbearer", split_oauthbearer),
}
"""Every mechanism we know, by its name in upper case, in the order they are announced: nginx's,
then those it does not know."""

ALWAYS: Final = (b"PLAIN", b"LOGIN")
"""Accepted whether or not announced, as in nginx."""


def accepted(methods: Sequence[str]) -> dict[bytes, Start]:
    """Give the mechanisms accepted where these are configured."""
    return {
        name: start
        for name, start in MECHANISMS.items()
        if name in ALWAYS or name.decode().lower() in methods
    }


def announced(methods: Sequence[str]) -> list[bytes]:
    """Give the mechanisms announced where these are configured, whatever their order there."""
    return [name for name in MECHANISMS if name.decode().lower() in methods]


def first_word(line: bytes) -> bytes:
    """Give what counts of a response line: everything before the first space."""
    return line.partition(b" ")[0]
