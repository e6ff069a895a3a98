"""Every stored secret is encrypted anew, whatever app it belongs to."""

from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection

from appliance.authhttp.models import CallerSecret
from appliance.certs import services as certs
from appliance.certs.models import Certificate
from appliance.lib import rotation, schemes
from appliance.lib.fields import EncryptedTextField
from appliance.publish import services as publish
from appliance.publish.models import ConfigRevision
from appliance.routing.models import Account
from appliance.servers import services as servers
from proxycore.contract.secret import Secret


@pytest.fixture
def key_file(settings: Any, tmp_path: Path) -> Path:
    """One key, in a file of the test's own, and something stored with it."""
    path = tmp_path / "secret.key"
    key = Fernet.generate_key().decode()
    path.write_text(f"# a remark\n{key}\n")
    settings.SECRET_KEY_FILE, settings.ENCRYPTION_KEYS = path, [key]
    return path


def keys_of(path: Path) -> list[str]:
    return [line for line in path.read_text().splitlines() if not line.startswith("#")]


def dump() -> str:
    with connection.cursor() as cursor:
        names = connection.introspection.table_names(cursor)
        rows = []
        for name in names:
            cursor.execute(f'SELECT * FROM "{name}"')
            rows.append(str(cursor.fetchall()))
    return "\n".join(rows)


@pytest.fixture
def stored(db: None, key_file: Path) -> None:
    """A secret of each kind."""
    made = certs.make_self_signed("mail", ["mail.example.com"])
    (imap, *_) = servers.create_default_blocks()
    imap.starttls = "on"
    servers.save_block(imap)
    servers.choose_certificates(imap, [made])
    publish.publish()
    CallerSecret.objects.create(name="nginx", header="X-Key", secret="canary-caller")
    Account.objects.create(login="joe", password_hash=schemes.read("{PLAIN}canary-plain"))


def test_a_key_file_that_cannot_be_written_is_a_sentence(
    db: None, settings: Any, tmp_path: Path
) -> None:
    settings.SECRET_KEY_FILE = tmp_path / "nowhere" / "key"
    with pytest.raises(CommandError, match="nowhere is no directory"):
        call_command("rotate_keys", "--new")


def test_the_old_key_reads_nothing_afterwards(stored: None, key_file: Path, settings: Any) -> None:
    call_command("rotate_keys", "--new")
    new, old = keys_of(key_file)
    settings.ENCRYPTION_KEYS = [new, old]
    call_command("rotate_keys", "--drop-old")
    assert keys_of(key_file) == [new]
    assert key_file.stat().st_mode & 0o777 == 0o600
    settings.ENCRYPTION_KEYS = [new]
    certificate = Certificate.objects.get()
    assert "PRIVATE KEY" in certificate.private_key.reveal()
    assert (
        certificate.pem
        in publish.for_nodes().document["servers"][0]["front_tls"][  # type: ignore[union-attr]
            "certificates"
        ][0]["ssl_certificate"]
    )
    assert CallerSecret.objects.get().secret == Secret("canary-caller")
    assert schemes.verify(Account.objects.get().password_hash, b"canary-plain")


def test_a_run_without_options_changes_tokens_and_no_keys(stored: None, key_file: Path) -> None:
    before = dict(ConfigRevision.objects.values_list("pk", "number"))
    text = key_file.read_text()
    done = rotation.renew_all()
    assert done["certs.Certificate.private_key"] == 1
    assert done["publish.ConfigRevision.document"] == 1
    assert done["authhttp.CallerSecret.secret"] == 1
    assert done["routing.Account.password_hash"] == 1
    assert dict(ConfigRevision.objects.values_list("pk", "number")) == before
    assert key_file.read_text() == text


def test_every_encrypted_field_is_found() -> None:
    fields = {
        f"{model._meta.label}.{field.name}"
        for model in apps.get_models()
        for field in model._meta.get_fields()
        if isinstance(field, EncryptedTextField)
    }
    assert {"certs.Certificate.private_key", "servers.TicketKey.value"} <= fields


def test_a_dump_of_the_database_alone_shows_no_key(stored: None, key_file: Path) -> None:
    revealed = Certificate.objects.get().private_key.reveal()
    text = dump()
    assert "PRIVATE KEY" not in text
    assert "canary" not in text
    for line in revealed.splitlines()[1:-1]:
        assert line not in text
