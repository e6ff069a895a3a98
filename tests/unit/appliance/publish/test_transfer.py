"""nginx.conf out of the admin and into it."""

import io
import zipfile
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.test import Client

from appliance.certs import services as certs
from appliance.certs.models import Certificate
from appliance.publish import draft, services, transfer
from appliance.publish.models import ConfigRevision
from appliance.servers import services as servers
from appliance.servers.choices import AuthService
from appliance.servers.models import AuthHttpHeader, Listener, ServerBlock
from proxycore.contract.snapshot import Snapshot

PAGE = "/admin/publish/configrevision/"
IMPORT = f"{PAGE}import/"
CANARY = "canary-transfer-19c2"

CONF = """
worker_processes 3;
mail {
    auth_http 192.0.2.9:80/auth;
    auth_http_header X-Key between-us;
    server {
        # postroad: name imap;
        protocol imap;
        listen 127.0.0.1:2143 bind rcvbuf=64k sndbuf=32k so_keepalive=10m:30s:5 backlog=99;
        listen [::1]:2143 ipv6only=off multipath so_keepalive=off;
        timeout 90s;
    }
}
"""


def _snapshot() -> Snapshot:
    found = draft.build().snapshot
    assert found is not None
    return found


def _files(packed: bytes) -> dict[str, str]:
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def _use_external(block: ServerBlock) -> None:
    block.auth_service, block.auth_http = AuthService.EXTERNAL, "https://auth.example.org/ask"
    servers.save_block(block)
    AuthHttpHeader.objects.create(block=block, name="X-Key", value=CANARY)


def test_an_export_holds_no_secret_and_names_what_to_supply(
    blocks: dict[str, ServerBlock],
) -> None:
    imap = blocks["imap"]
    _use_external(imap)
    certificate = certs.make_self_signed("mail", ["mail.example.org"])
    servers.choose_certificates(imap, [certificate])
    imap.starttls = "on"
    servers.save_block(imap)
    files = _files(transfer.archive(_snapshot(), "The draft"))
    everything = "".join(files.values())
    assert CANARY not in everything
    assert "PRIVATE KEY" not in everything
    assert certificate.pem in files.values()
    assert 'a key of server block "imap"' in files["README.txt"]
    assert 'auth_http_header X-Key of server block "imap"' in files["README.txt"]
    named = files["README.txt"].partition("- ")[2].partition(":")[0]
    assert named not in files
    assert f"ssl_certificate_key {named};" in files["nginx.conf"]


def test_what_is_exported_is_imported_without_a_difference(blocks: dict[str, ServerBlock]) -> None:
    before = _snapshot()
    text = _files(transfer.archive(before, "The draft"))["nginx.conf"]
    found = transfer.take(text, "all")
    assert (found.remarks, found.changes, found.lost) == ([], [], [])
    assert _snapshot().digest() == before.digest()


def test_no_option_of_a_listener_is_lost(db: None) -> None:
    found = transfer.take(CONF, "all")
    assert found.is_possible
    assert [str(change) for change in found.lost] == []
    first, second = _snapshot().servers[0].listens
    assert (first.bind, first.rcvbuf_bytes, first.sndbuf_bytes) == (True, 65536, 32768)
    assert (first.keepalive_idle_s, first.keepalive_interval_s) == (600, 30)
    assert (first.so_keepalive, first.keepalive_count, first.backlog) == ("on", 5, 99)
    assert (second.ipv6only, second.multipath, second.so_keepalive) == (False, True, "off")


def test_a_preview_writes_nothing_and_says_what_changes(blocks: dict[str, ServerBlock]) -> None:
    before = _snapshot()
    found = transfer.preview(CONF, "add")
    said = [str(change) for change in found.changes]
    assert 'server block "imap": timeout_ms changed from 60000 ms to 90000 ms' in said
    assert 'server block "imap", listener "127.0.0.1:2143" added' in said
    assert not any("pop3" in one or "worker_processes" in one for one in said)
    assert _snapshot() == before
    everything = [str(change) for change in transfer.preview(CONF, "all").changes]
    assert 'server block "pop3" removed' in everything
    assert "worker_processes changed from 0 to 3" in everything


def test_adding_keeps_the_other_blocks(blocks: dict[str, ServerBlock]) -> None:
    transfer.take(CONF, "add")
    assert [server.name for server in _snapshot().servers] == ["imap", "pop3", "submission"]
    assert _snapshot().servers[0].timeout_ms == 90_000


def test_every_problem_is_told_with_its_line() -> None:
    text = CONF.replace("timeout 90s;", "timeout never;\n bogus on;\n include other.conf;")
    found = transfer.preview(text, "add")
    assert found.target is None
    told = {(one.line, one.source) for one in found.remarks}
    assert told == {(11, "timeout never;"), (12, "bogus on;"), (13, "include other.conf;")}
    assert "put its content" in found.remarks[2].message


def test_files_of_the_appliance_are_not_read() -> None:
    found = transfer.preview("include /etc/passwd;\nmail {}\n", "add")
    assert "root" not in str(found.remarks)
    assert "is not here" in found.remarks[0].message


def test_a_masked_value_is_not_taken_for_the_secret(blocks: dict[str, ServerBlock]) -> None:
    _use_external(blocks["imap"])
    text = _files(transfer.archive(_snapshot(), "The draft"))["nginx.conf"]
    found = transfer.take(text, "all")
    assert not found.is_possible
    assert "X-Key" in found.refusals[0]
    assert AuthHttpHeader.objects.get().value.reveal() == CANARY


def test_a_certificate_that_is_a_path_is_told_as_not_taken(db: None) -> None:
    tls = "ssl_certificate a.crt; ssl_certificate_key a.key; starttls on;"
    found = transfer.preview(CONF.replace("timeout 90s;", tls), "all")
    assert any("/etc/nginx/a.crt" in str(change) for change in found.lost)
    assert found.problems


def test_a_socket_that_another_block_has_refuses_the_whole(blocks: dict[str, ServerBlock]) -> None:
    before = _snapshot()
    pop3 = Listener.objects.get(block__name="pop3")
    text = CONF.replace("127.0.0.1:2143", f"{pop3.address}:{pop3.port}")
    found = transfer.take(text, "add")
    assert not found.is_possible
    assert f"listens on {pop3} already" in found.refusals[0]
    assert _snapshot() == before


def test_the_page_previews_and_takes(
    as_administrator: Client, blocks: dict[str, ServerBlock]
) -> None:
    assert "import-link" in as_administrator.get(PAGE).text
    given = {"text": CONF, "mode": "add"}
    page = as_administrator.post(IMPORT, given)
    assert "What it would do to the draft" in page.text
    assert "take-button" in page.text
    assert "no-store" in page["Cache-Control"]
    answer = as_administrator.post(IMPORT, {**given, "take": "yes"}, follow=True)
    assert "The file is in the draft." in answer.text
    assert _snapshot().servers[0].timeout_ms == 90_000
    assert not ConfigRevision.objects.exists()


TLS_CONF = """
mail {
    auth_http 192.0.2.9:80/auth;
    server {
        # postroad: name imaps;
        protocol imap;
        listen 127.0.0.1:2993 ssl;
        ssl_certificate /etc/ssl/mail/chain.pem;
        ssl_certificate_key /etc/ssl/private/mail.key;
    }
}
"""


@pytest.fixture
def pair(db: None) -> dict[str, bytes]:
    """A certificate and its key as files."""
    made = certs.make_self_signed("mail", ["mail.example.org"])
    pair = {"chain.pem": made.pem.encode(), "mail.key": made.private_key.reveal().encode()}
    certs.delete([made])
    return pair


def test_certificates_are_given_along_and_not_shown_between(
    as_administrator: Client, pair: dict[str, bytes]
) -> None:
    files = [SimpleUploadedFile(name, content) for name, content in pair.items()]
    page = as_administrator.post(IMPORT, {"text": TLS_CONF, "mode": "add", "enclosed_files": files})
    assert "Given along: chain.pem, mail.key" in page.text
    assert "PRIVATE KEY" not in page.text
    assert not page.context["preview"].lost
    assert not Certificate.objects.exists()
    sealed = page.context["form"].initial["sealed"]
    as_administrator.post(
        IMPORT, {"text": TLS_CONF, "mode": "add", "sealed": sealed, "take": "yes"}
    )
    (server,) = _snapshot().servers
    (shown,) = server.front_tls.certificates
    assert shown.ssl_certificate == f"data:{pair['chain.pem'].decode()}"
    assert Certificate.objects.get().private_key.reveal().encode() == pair["mail.key"]


def test_a_seal_that_is_none_and_a_file_that_is_no_pem(as_administrator: Client, db: None) -> None:
    page = as_administrator.post(IMPORT, {"text": TLS_CONF, "mode": "add", "sealed": "x"})
    assert page.context["preview"].lost
    files = [SimpleUploadedFile("mail.key", b"\x30\x82")]
    page = as_administrator.post(IMPORT, {"text": TLS_CONF, "mode": "add", "enclosed_files": files})
    assert page.context["form"].errors["enclosed_files"] == ["mail.key is no PEM file."]


def test_the_command_finds_certificates_in_a_directory(
    pair: dict[str, bytes], tmp_path: Path
) -> None:
    (tmp_path / "private").mkdir()
    (tmp_path / "chain.pem").write_bytes(pair["chain.pem"])
    (tmp_path / "private" / "mail.key").write_bytes(pair["mail.key"])
    (tmp_path / "README").write_text("no certificate")
    conf = tmp_path / "nginx.conf"
    conf.write_text(TLS_CONF)
    with pytest.raises(CommandError, match="no directory"):
        call_command("import_nginx_conf", str(conf), "--certificates", str(tmp_path / "none"))
    call_command(
        *("import_nginx_conf", str(conf), "--certificates", str(tmp_path)), stdout=io.StringIO()
    )
    assert len(_snapshot().servers[0].front_tls.certificates) == 1


def test_an_uploaded_file_is_read_and_an_empty_form_is_not(as_administrator: Client) -> None:
    file = SimpleUploadedFile("nginx.conf", b"mail {\n \xff\xfe on;\n}\n")
    page = as_administrator.post(IMPORT, {"file": file, "mode": "add"}).text
    assert "line 2" in page
    assert "The file cannot be taken" in page
    assert "Paste a configuration" in as_administrator.post(IMPORT, {"mode": "add"}).text


@pytest.mark.parametrize("path", ["export/", "1/export/"])
def test_the_export_is_a_zip(as_viewer: Client, blocks: dict[str, ServerBlock], path: str) -> None:
    services.publish()
    answer = as_viewer.get(PAGE + path)
    assert answer["Content-Type"] == "application/zip"
    assert "attachment" in answer["Content-Disposition"]
    assert "listen *:1143;" in _files(answer.content)["nginx.conf"]


def test_who_may_not_is_refused(as_viewer: Client, as_newcomer: Client) -> None:
    assert as_viewer.get(IMPORT).status_code == 403
    assert "import-link" not in as_viewer.get(PAGE).text
    assert as_newcomer.get(f"{PAGE}export/").status_code == 403
