"""SASL exchanges, shared by the three protocols.

A mechanism is a function from the initial response (None if there was none) to an outcome: a
challenge together with the function that takes its response, credentials, or a failure. To add a
mechanism, write that function and put it into ``MECHANISMS``; fronts and spine stay as they are.
"""

from collections.abc import Callable
from functools import partial
from typing import Final, final

from proxycore.dialogue.steps import Submission
from proxycore.wire.sasl import decode_base64, split_plain


@final
class Challenge:
    """Say this (base64), and give the response to ``take``."""

    __slots__ = ("take", "text")

    def __init__(self, text: bytes, take: "Take") -> None:
        self.text = text
        self.take = take


@final
class Failure:
    """The response is unusable; ``message`` is for the log."""

    __slots__ = ("message",)

    def __init__(self, message: str) -> None:
        self.message = message


Outcome = Challenge | Submission | Failure
Take = Callable[[bytes], Outcome]
Start = Callable[[bytes | None], Outcome]

_ASK_USERNAME: Final = b"VXNlcm5hbWU6"
_ASK_PASSWORD: Final = b"UGFzc3dvcmQ6"  # the words "Username:", "Password:"


def _bad_base64(mechanism: str) -> Failure:
    return Failure(f"client sent invalid base64 encoding in AUTH {mechanism} command")


_PLAIN_BASE64 = _bad_base64("PLAIN")
_LOGIN_BASE64 = _bad_base64("LOGIN")
_PLAIN_LOGIN = Failure("client sent invalid login in AUTH PLAIN command")
_PLAIN_PASSWORD = Failure("client sent invalid password in AUTH PLAIN command")


def start_plain(initial: bytes | None) -> Outcome:
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


def start_login(initial: bytes | None) -> Outcome:
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

MECHANISMS: Final[dict[bytes, Start]] = {b"PLAIN": start_plain, b"LOGIN": start_login}
"""Every mechanism we know, by its name in upper case."""

ALWAYS: Final = (b"PLAIN", b"LOGIN")
"""Accepted whether or not announced, as in nginx."""


def first_word(line: bytes) -> bytes:
    """Give what counts of a response line: everything before the first space."""
    return line.partition(b" ")[0]
