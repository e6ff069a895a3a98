"""Whatever the tests before this one did, no password or token is found where it does not belong.

Runs last (conftest.py sorts it there), so that the logs and stores it searches have seen the logins
of all other integration tests, wrong passwords and refused sessions included.
"""

import base64
import binascii
import contextlib
import imaplib
import smtplib
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxycore.contract.authhttp import escape
from tests.support import cast, clients
from tests.support.appliance import Appliance
from tests.support.dovecot import Dovecot
from tests.support.fronts import Front
from tests.support.process import descendants_of
from tests.support.proxycore import Proxycore

_WRONG = f"{cast.CANARY}-wrong"


def _forms() -> dict[str, bytes]:
    """Give every canary in every form it takes on its way, by a name without the secret in it."""
    forms = {"plain": cast.CANARY.encode(), "hex": binascii.hexlify(cast.CANARY.encode())}
    for login, password in {**cast.PASSWORDS, "wrong": _WRONG}.items():
        raw = password.encode()
        forms[f"percent-coded {login}"] = escape(raw)
        forms[f"base64 {login}"] = base64.b64encode(raw).rstrip(b"=")[:-1]
        sasl = base64.b64encode(b"\0" + login.encode() + b"\0" + raw)
        forms[f"SASL PLAIN {login}"] = sasl.rstrip(b"=")[:-1]
    return forms


def _findings(files: Iterator[Path]) -> list[str]:
    forms = _forms()
    searched = 0
    found = []
    for path in files:
        if path.is_file():
            searched += 1
            content = path.read_bytes()
            found += [f"{name} in {path.name}" for name, form in forms.items() if form in content]
    assert searched, "there was nothing to search"
    return found


@pytest.fixture(scope="module", autouse=True)
def logins_of_every_kind(
    standalone_front: tuple[Front, Proxycore],
    managed_front: tuple[Front, Appliance],
) -> None:
    """Log in rightly and wrongly by every protocol, so that this file also works alone."""
    for front in (standalone_front[0], managed_front[0]):
        for login in (cast.ALICE, cast.ZOE):
            with clients.imap(front.imap, login, cast.PASSWORDS[login]):
                pass
            with clients.pop3(front.pop3, login, cast.PASSWORDS[login]):
                pass
            with clients.smtp(front.smtp) as client, contextlib.suppress(smtplib.SMTPException):
                client.login(login, cast.PASSWORDS[login])  # refused where no Postfix runs
        with clients.imap(front.imap) as client, pytest.raises(imaplib.IMAP4.error):
            client.login(cast.ALICE, _WRONG)


def test_the_search_finds_what_is_there(mailhost01: Dovecot) -> None:
    found = _findings(iter([mailhost01.directory / "users"]))
    assert "plain in users" in found


def test_the_daemon_alone_writes_no_password_even_at_debug(
    standalone_front: tuple[Front, Proxycore],
) -> None:
    daemon = standalone_front[1]
    assert "debug" in daemon.config_file.read_text(encoding="utf-8")
    assert _findings(daemon.directory.rglob("*")) == []


def test_the_appliance_keeps_no_password_in_state_logs_or_database(appliance: Appliance) -> None:
    assert _findings(appliance.directory.rglob("*")) == []


def test_a_database_dump_holds_no_password(appliance: Appliance) -> None:
    dump = appliance.database_dump().encode()
    assert [name for name, form in _forms().items() if form in dump] == []


def test_a_private_key_is_in_no_database_and_no_log(appliance: Appliance) -> None:
    revealed = appliance.python(
        "from appliance.certs.models import Certificate\n"
        "print(*(one.private_key.reveal() for one in Certificate.objects.all()))"
    )
    lines = [line for line in revealed.splitlines() if line and "-----" not in line]
    assert lines, "a first start has a certificate"
    # the node's own copy, for its owner's eyes, is what it restarts from
    files = (path for path in appliance.directory.rglob("*") if path.parent.name != "node")
    texts = [path.read_bytes() for path in files if path.is_file()]
    texts += [appliance.database_dump().encode(), appliance.log().encode()]
    for text in texts:
        assert b"PRIVATE KEY-----" not in text
        assert not [line for line in lines if line.encode() in text]


def test_no_command_line_and_no_environment_holds_a_password(appliance: Appliance) -> None:
    for pid in (appliance.pid, *descendants_of(appliance.pid)):
        for name in ("cmdline", "environ"):
            text = Path(f"/proc/{pid}/{name}").read_bytes()
            assert cast.CANARY.encode() not in text, name


def test_what_is_secret_on_disk_is_readable_by_its_owner_only(appliance: Appliance) -> None:
    assert appliance.state.stat().st_mode & 0o077 == 0
    for name in ("secret.key", "node/token", "node/snapshot.json"):
        assert (appliance.state / name).stat().st_mode & 0o777 == 0o600, name
