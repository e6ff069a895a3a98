"""Every octet in login and password, from the client to whoever decides: an ordinary refusal."""

import re

import pytest

from tests.support.appliance import Appliance
from tests.support.cast import ALICE, PASSWORDS
from tests.support.fronts import Front
from tests.support.ports import free_port
from tests.support.postfix import Postfix
from tests.support.proxycore import Proxycore
from tests.support.stub_auth import StubAuth
from tests.support.talk import Imap, Pop3, Smtp, Talk, plain

_ALL = "".join(chr(octet) for octet in range(256) if octet not in b"\r\n\0")
_ENDS = ("\r", "\n", "\r\n")


def _greeted(front: Front, protocol: str) -> Talk:
    return Imap.greeted(front.imap) if protocol == "imap" else Pop3.greeted(front.pop3)


def _login(protocol: str, user: str, password: str) -> str:
    verb = "a AUTHENTICATE" if protocol == "imap" else "AUTH"
    return f"{verb} PLAIN {plain(user, password)}"


_REFUSED = {"imap": r"a NO \S", "pop3": r"-ERR \S"}
_LET_IN = {"imap": r"(\*|a OK) ", "pop3": r"\+OK"}


@pytest.mark.parametrize("protocol", ["imap", "pop3"])
def test_any_octets_are_refused_like_any_wrong_password(
    managed_front: tuple[Front, Appliance], protocol: str
) -> None:
    front, appliance = managed_front
    tries = [(_ALL, _ALL[::-1]), (ALICE, _ALL), *((f"{ALICE}{end}x", "p") for end in _ENDS)]
    for user, password in tries:
        with _greeted(front, protocol) as talk:
            answer = talk.ask(_login(protocol, user, password))
            assert re.match(_REFUSED[protocol], answer), (user[:9], answer)
            assert "nternal" not in answer
    with _greeted(front, protocol) as talk:
        assert re.match(_LET_IN[protocol], talk.ask(_login(protocol, ALICE, PASSWORDS[ALICE])))
    assert "Traceback" not in appliance.log()


_XCLIENT = """\
error_log @DIR@/logs/error.log info;
events {{
}}
mail {{
    auth_http 127.0.0.1:{auth}/auth;
    server {{ listen 127.0.0.1:{port}; protocol smtp; smtp_auth plain; xclient on; }}
}}
"""


def test_any_octets_of_a_verified_login_are_told_to_postfix_or_are_too_long(mta: Postfix) -> None:
    """Encoded, 85 octets may be the 255 that XCLIENT takes."""
    port = free_port()
    place = {"Auth-Status": "OK", "Auth-Server": "127.0.0.1", "Auth-Port": str(mta.port)}
    with StubAuth(lambda _: place) as auth:
        config = _XCLIENT.format(auth=auth.port, port=port)
        with Proxycore.standalone(config, [port]) as daemon:
            for user in (_ALL[start : start + 85] for start in range(0, len(_ALL), 85)):
                with Smtp.greeted(port) as talk:
                    assert talk.ask(f"AUTH PLAIN {plain(user, _ALL)}") == "235 2.0.0 OK", user
                    assert talk.ask("NOOP") == "250 2.0.0 Ok"
            with Smtp.greeted(port) as talk:
                assert talk.ask(f"AUTH PLAIN {plain(_ALL, 'p')}") == "535 5.7.0 Login is too long"
            assert daemon.log_contains("login is too long for XCLIENT")
