"""The admin page of the server blocks."""

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.utils import flatten
from django.test import Client

from appliance.certs import services as certs
from appliance.certs.models import Authority
from appliance.servers.models import AuthHttpHeader, ProcessSettings, ServerBlock
from proxycore.contract.secret import Secret

PAGE = "/admin/servers/serverblock/"
CANARY = "canary-header-5c"


def _form(client: Client, url: str, **changed: Any) -> dict[str, Any]:
    """Give what a browser would send for the form as it is shown."""
    page = client.get(url)
    forms = [page.context["adminform"].form]
    for inline in page.context["inline_admin_formsets"]:
        forms += [inline.formset.management_form, *inline.formset.forms]
    data: dict[str, Any] = {}
    for form in forms:
        for bound in form:
            value = bound.value()
            if value is not None and value is not False:
                data[bound.html_name] = value
    return data | changed


def _change(block: ServerBlock) -> str:
    return f"{PAGE}{block.pk}/change/"


def test_a_block_is_added_with_its_listener(as_administrator: Client) -> None:
    data = _form(as_administrator, f"{PAGE}add/", name="imap", protocol="imap")
    data |= {"listeners-0-address": "127.0.0.1", "listeners-0-port": 2143}
    answer = as_administrator.post(f"{PAGE}add/", data)
    assert answer.status_code == 302, answer.context["errors"]
    assert str(ServerBlock.objects.get().listeners.get()) == "127.0.0.1:2143"


def test_a_private_authority_is_trusted_without_pasting_it(
    as_administrator: Client, as_viewer: Client, blocks: dict[str, ServerBlock]
) -> None:
    url = _change(blocks["imap"])
    assert "private_authority" not in as_administrator.get(url).text
    ours = [certs.make_authority(Authority(name=name), 100) for name in ("one", "two")]
    assert "private_authority" not in as_viewer.get(url).text
    for authority in (ours[0], ours[1], ours[0]):
        data = _form(as_administrator, url, private_authority=authority.pk)
        answer = as_administrator.post(url, data)
        assert answer.status_code == 302, answer.context["errors"]
    block = ServerBlock.objects.get(name="imap")
    text = block.proxy_ssl_trusted_certificate
    assert text == f"{ours[0].pem.strip()}\n{ours[1].pem.strip()}"
    data = _form(as_administrator, url, private_authority=ours[0].pk)
    data["proxy_ssl_trusted_certificate"] = "/etc/ssl/of-the-nodes.pem"
    errors = as_administrator.post(url, data).context["adminform"].form.errors
    assert "Above is the path of a file" in errors["private_authority"][0]


def test_a_listeners_port_is_changed(
    as_administrator: Client, blocks: dict[str, ServerBlock]
) -> None:
    url = _change(blocks["imap"])
    data = _form(as_administrator, url, **{"listeners-0-port": 2143, "timeout_ms": 5000})
    answer = as_administrator.post(url, data)
    assert answer.status_code == 302, answer.context["errors"]
    block = ServerBlock.objects.get(name="imap")
    assert (block.listeners.get().port, block.timeout_ms) == (2143, 5000)
    assert "*:2143" in as_administrator.get(PAGE).text


def test_the_contracts_objections_stand_at_the_fields(
    as_administrator: Client, blocks: dict[str, ServerBlock]
) -> None:
    url = _change(blocks["imap"])
    data = _form(as_administrator, url, imap_auth=["plain", "gssapi"], proxy_buffer_bytes=1)
    data["listeners-0-address"] = "local/host"
    answer = as_administrator.post(url, data)
    assert answer.status_code == 200
    errors = answer.context["adminform"].form.errors
    assert "gssapi is not one of the available choices" in errors["imap_auth"][0]
    assert "proxy_buffer_bytes" in errors
    (listeners, *_) = answer.context["inline_admin_formsets"]
    assert "address" in listeners.formset.errors[0]


def test_a_headers_secret_is_kept_and_never_shown(
    as_administrator: Client, blocks: dict[str, ServerBlock]
) -> None:
    url = _change(blocks["imap"])
    added = {
        "auth_service": "external",
        "auth_http": "192.0.2.44/auth",
        "auth_headers-TOTAL_FORMS": 1,
        "auth_headers-0-name": "X-Key",
        "auth_headers-0-value": CANARY,
    }
    answer = as_administrator.post(url, _form(as_administrator, url, **added))
    assert answer.status_code == 302, answer.context["errors"]
    assert CANARY not in as_administrator.get(url).text
    renamed = _form(as_administrator, url, **{"auth_headers-0-name": "X-Other"})
    assert as_administrator.post(url, renamed).status_code == 302
    header = AuthHttpHeader.objects.get()
    assert (header.name, header.value) == ("X-Other", Secret(CANARY))


def test_capabilities_are_announced_in_their_order(
    as_administrator: Client, blocks: dict[str, ServerBlock]
) -> None:
    url = _change(blocks["imap"])
    rows = {"capabilities-TOTAL_FORMS": 2}
    data = _form(as_administrator, url, **rows)
    data |= {"capabilities-0-text": "UIDPLUS", "capabilities-0-position": 2}
    data |= {"capabilities-1-text": "IMAP4rev1", "capabilities-1-position": 1}
    assert as_administrator.post(url, data).status_code == 302
    assert [str(one) for one in blocks["imap"].capabilities.all()] == ["IMAP4rev1", "UIDPLUS"]


def test_blocks_are_deleted_by_the_service(
    as_administrator: Client, blocks: dict[str, ServerBlock]
) -> None:
    url = f"{PAGE}{blocks['pop3'].pk}/delete/"
    assert as_administrator.post(url, {"post": "yes"}).status_code == 302
    chosen = [blocks["imap"].pk, blocks["submission"].pk]
    data = {"action": "delete_selected", "_selected_action": chosen, "post": "yes"}
    assert as_administrator.post(PAGE, data).status_code == 302
    assert not ServerBlock.objects.exists()


@pytest.mark.parametrize("page", [PAGE, f"{PAGE}add/"])
def test_others_are_refused(as_newcomer: Client, client: Client, db: None, page: str) -> None:
    assert as_newcomer.get(page).status_code == 403
    assert client.get(page).status_code == 302


def test_who_may_only_look_cannot_write(as_viewer: Client, blocks: dict[str, ServerBlock]) -> None:
    assert as_viewer.get(PAGE).status_code == 200
    assert as_viewer.post(_change(blocks["imap"]), {"name": "x"}).status_code == 403
    assert as_viewer.get(f"{PAGE}add/").status_code == 403


PROCESSES = "/admin/servers/processsettings/"


def test_the_log_level_of_the_nodes_is_changed_on_a_page(as_administrator: Client) -> None:
    data = _form(as_administrator, PROCESSES, log_level="notice", worker_processes=2)
    answer = as_administrator.post(PROCESSES, data, follow=True)
    assert "Nodes take them once published" in answer.text
    stored = ProcessSettings.objects.get()
    assert (stored.log_level, stored.worker_processes) == ("notice", 2)
    refused = as_administrator.post(PROCESSES, data | {"worker_processes": 1000})
    assert "worker_processes" in refused.context["adminform"].form.errors


def test_the_processes_page_is_for_who_may(
    as_viewer: Client, as_newcomer: Client, client: Client
) -> None:
    assert as_viewer.get(PROCESSES).status_code == 200
    assert as_viewer.post(PROCESSES, {"log_level": "debug"}).status_code == 403
    assert as_newcomer.get(PROCESSES).status_code == 403
    assert client.get(PROCESSES).status_code == 302


def test_the_list_names_the_auth_service_in_use(
    as_administrator: Client, blocks: dict[str, ServerBlock]
) -> None:
    ServerBlock.objects.update(auth_http="192.0.2.44/auth")
    assert "192.0.2.44" not in as_administrator.get(PAGE).text
    ServerBlock.objects.update(auth_service="external")
    assert "192.0.2.44" in as_administrator.get(PAGE).text


@pytest.mark.parametrize("value", [-1, 0, 99999999999])
def test_a_wrong_number_is_told_its_range_once(
    as_administrator: Client, blocks: dict[str, ServerBlock], value: int
) -> None:
    url = _change(blocks["imap"])
    answer = as_administrator.post(url, _form(as_administrator, url, timeout_ms=value))
    errors = answer.context["adminform"].form.errors
    assert errors["timeout_ms"] == ["Give a whole number, 1 or more."]


def test_who_has_a_socket_is_said_at_the_port(
    as_administrator: Client, blocks: dict[str, ServerBlock]
) -> None:
    url = _change(blocks["imap"])
    answer = as_administrator.post(url, _form(as_administrator, url, **{"listeners-0-port": 1110}))
    (listeners, *_) = answer.context["inline_admin_formsets"]
    assert listeners.formset.errors == [
        {"port": ["Server block “pop3” listens on *:1110 already."]}
    ]


def test_a_certificate_is_chosen_for_a_block(
    as_administrator: Client, blocks: dict[str, ServerBlock]
) -> None:
    made = certs.make_self_signed("mail", ["mail.example.com"])
    url = _change(blocks["imap"])
    chosen = {"starttls": "on", "certificates": [made.pk], "listeners-0-ssl": "on"}
    answer = as_administrator.post(url, _form(as_administrator, url, **chosen))
    assert answer.status_code == 302, answer.context["errors"]
    block = ServerBlock.objects.get(name="imap")
    assert [one.certificate for one in block.chosen.all()] == [made]
    assert (block.starttls, block.listeners.get().ssl) == ("on", True)
    assert "(mail.example.com, EC P-256, valid until" in as_administrator.get(url).text
    page = as_administrator.get(f"/admin/certs/certificate/{made.pk}/change/").text
    assert url in page
    refused = as_administrator.get(f"/admin/certs/certificate/{made.pk}/delete/").text
    assert "is still in use" in refused
    again = as_administrator.post(url, _form(as_administrator, url, certificates=[made.pk]))
    assert again.status_code == 302


def test_two_certificates_with_keys_of_one_kind_are_refused(
    as_administrator: Client, blocks: dict[str, ServerBlock]
) -> None:
    both = [certs.make_self_signed(name, ["mail.example.com"]) for name in ("former", "latter")]
    url = _change(blocks["imap"])
    data = _form(as_administrator, url, certificates=[one.pk for one in both])
    refused = as_administrator.post(url, data).context["adminform"].form.errors
    assert refused["certificates"] == [
        "former and latter have keys of one kind: choose one of them."
    ]


def test_tls_without_a_certificate_is_refused_where_it_is_asked_for(
    as_administrator: Client, blocks: dict[str, ServerBlock]
) -> None:
    url = _change(blocks["imap"])
    data = _form(as_administrator, url, **{"listeners-0-ssl": "on"})
    answer = as_administrator.post(url, data)
    (listeners, *_) = answer.context["inline_admin_formsets"]
    assert "Choose a certificate" in listeners.formset.errors[0]["ssl"][0]
    refused = as_administrator.post(url, _form(as_administrator, url, starttls="only"))
    assert "Choose a certificate" in refused.context["adminform"].form.errors["certificates"][0]


def test_a_ticket_key_is_kept_and_never_shown(
    as_administrator: Client, blocks: dict[str, ServerBlock]
) -> None:
    url = _change(blocks["imap"])
    key = "Q0FO" * 16
    rows = {"ticket_keys-TOTAL_FORMS": 1, "ticket_keys-0-value": key}
    answer = as_administrator.post(url, _form(as_administrator, url, **rows))
    assert answer.status_code == 302, answer.context["errors"]
    assert key not in as_administrator.get(url).text
    assert blocks["imap"].ticket_keys.get().value == Secret(key)
    wrong = _form(as_administrator, url, **{"ticket_keys-0-value": "short"})
    assert as_administrator.post(url, wrong).status_code == 200


def test_names_with_values_are_typed_as_lines(
    as_administrator: Client, blocks: dict[str, ServerBlock]
) -> None:
    url = _change(blocks["imap"])
    text = "name = Postroad\r\n\r\nsupport-url = https://example.com/?a=b"
    assert as_administrator.post(url, _form(as_administrator, url, imap_id=text)).status_code == 302
    stored = ServerBlock.objects.get(name="imap").imap_id
    assert stored == ["name", "Postroad", "support-url", "https://example.com/?a=b"]
    assert "support-url = https://example.com/?a=b" in as_administrator.get(url).text
    refused = as_administrator.post(url, _form(as_administrator, url, imap_id="nothing"))
    assert "no name = value" in refused.context["adminform"].form.errors["imap_id"][0]


def test_no_verification_is_warned_of(
    as_administrator: Client, blocks: dict[str, ServerBlock]
) -> None:
    url = _change(blocks["imap"])
    data = _form(as_administrator, url)
    del data["proxy_ssl_verify"]
    assert "read every password" in as_administrator.post(url, data, follow=True).text


def test_no_group_of_settings_is_ever_empty() -> None:
    """A group whose every field depends on another one is a heading with nothing below it."""
    for model in (ServerBlock, ProcessSettings):
        page = admin.site.get_model_admin(model)
        for title, options in page.fieldsets or ():
            assert set(flatten(options["fields"])) - set(page.conditional_fields), title
