"""Every directive, from the table in directive_rows: forms, wording, inheritance, effect."""

import operator
from typing import Any

import pytest

from proxycore.nginxconf import Loaded
from proxycore.nginxconf.table import ROWS
from tests.unit.proxycore.nginxconf.conftest import LoadText
from tests.unit.proxycore.nginxconf.directive_rows import BOTH, CORE, MAIN, Case
from tests.unit.proxycore.nginxconf.directive_rows_access import ACCESS
from tests.unit.proxycore.nginxconf.directive_rows_mail import (
    AUTH_HTTP,
    OURS,
    PROTOCOLS,
    PROXY,
    ZIMBRA,
)
from tests.unit.proxycore.nginxconf.directive_rows_tls import BACK_TLS, FRONT_TLS

CASES = (
    *MAIN,
    *ACCESS,
    *CORE,
    *PROTOCOLS,
    *AUTH_HTTP,
    *PROXY,
    *FRONT_TLS,
    *BACK_TLS,
    *ZIMBRA,
    *OURS,
)

BLOCKS = {"events", "mail", "imap", "server", "http", "stream"}
"""Tested by what stands in them."""

SPECIFIED = {
    *("user", "worker_processes", "error_log", "pid", "daemon", "master_process"),
    *("load_module", "worker_shutdown_timeout", "events", "worker_connections"),
    *("multi_accept", "mail", "imap", "server", "http", "stream", "listen", "protocol"),
    *("server_name", "timeout", "so_keepalive", "resolver", "resolver_timeout"),
    *("max_errors", "imap_client_buffer", "imap_capabilities", "imap_auth", "pop3_auth"),
    *("auth", "pop3_capabilities", "smtp_auth", "smtp_capabilities", "smtp_client_buffer"),
    *("smtp_greeting_delay", "auth_http", "auth_http_header", "auth_http_timeout"),
    *("auth_http_pass_client_cert", "proxy", "proxy_buffer", "proxy_pass_error_message"),
    *("proxy_timeout", "proxy_smtp_auth", "proxy_protocol", "xclient", "set_real_ip_from"),
    *("ssl", "starttls", "ssl_certificate", "ssl_certificate_key", "ssl_password_file"),
    *("ssl_certificate_compression", "ssl_dhparam", "ssl_ecdh_curve", "ssl_protocols"),
    *("ssl_ciphers", "ssl_prefer_server_ciphers", "ssl_session_cache"),
    *("ssl_session_timeout", "ssl_session_tickets", "ssl_session_ticket_key"),
    *("ssl_verify_client", "ssl_verify_depth", "ssl_client_certificate"),
    *("ssl_trusted_certificate", "ssl_crl", "ssl_conf_command", "max_commands"),
    *("pop3_client_buffer", "proxy_ssl", "imap_greeting", "pop3_greeting", "imap_id"),
    *("imap_literalauth", "proxy_ctimeout", "proxy_issue_imap_id", "proxy_issue_pop3_xoip"),
    *("mail_login_ip_max", "mail_login_ip_ttl", "mail_login_user_max"),
    *("mail_login_user_ttl", "mail_whitelist_ip"),
}
"""What the specification names: nginx's, the seed's, and other forks' that are adopted."""


def text(case: Case, *arguments: str, where: str = "") -> str:
    """Give a file with the directive in one of its places, once for each of ``arguments``."""
    lines = " ".join(f"{case.name} {words};" for words in arguments)
    return file(**{where or case.where[-1]: lines}, listens=case.setting == "listens")


def file(
    *, main: str = "", events: str = "", mail: str = "", server: str = "", listens: bool = False
) -> str:
    socket = "" if listens else "listen 143;"
    protocol = "" if "protocol " in server and "proxy" not in server else "protocol imap;"
    return (
        f"{main} events {{ {events} }}\n mail {{ auth_http 127.0.0.1; {mail}\n"
        f" server {{ {protocol} {socket} {server} }} }}"
    )


def value(loaded: Loaded, setting: str) -> Any:
    assert loaded.snapshot is not None, loaded.problems
    owner = loaded.snapshot if setting.startswith("process.") else loaded.snapshot.servers[0]
    return operator.attrgetter(setting)(owner)


def pairs(attribute: str) -> list[Any]:
    return [
        pytest.param(case, *item, id=f"{case.where[-1]}: {case.name} {item[0][:40]}")
        for case in CASES
        for item in getattr(case, attribute).items()
    ]


@pytest.mark.parametrize(("case", "arguments", "wanted"), pairs("takes"))
def test_taken(load_text: LoadText, case: Case, arguments: str, wanted: Any) -> None:
    for where in case.where:
        loaded = load_text(text(case, arguments, where=where))
        assert (loaded.problems, loaded.notices) == ([], [])
        if case.setting:
            assert value(loaded, case.setting) == wanted


@pytest.mark.parametrize(("case", "arguments", "notice"), pairs("notices"))
def test_taken_with_a_remark(load_text: LoadText, case: Case, arguments: str, notice: str) -> None:
    for where in case.where:
        loaded = load_text(text(case, arguments, where=where))
        assert loaded.problems == []
        assert any(notice in one.message for one in loaded.notices), loaded.notices


@pytest.mark.parametrize(("case", "arguments", "message"), pairs("refuses"))
def test_refused(load_text: LoadText, case: Case, arguments: str, message: str) -> None:
    wanted = message or 'invalid number of arguments in "{name}" directive'
    for where in case.where:
        loaded = load_text(text(case, arguments, where=where))
        assert loaded.snapshot is None
        assert wanted.replace("{name}", case.name) in loaded.problems[0].message


INHERITED = [case for case in CASES if case.where == BOTH and len(case.takes) > 1 and case.setting]


@pytest.mark.parametrize("case", INHERITED, ids=lambda case: case.name)
def test_a_server_replaces_what_mail_says_wherever_it_says_it(
    load_text: LoadText, case: Case
) -> None:
    (one, of_one), (other, of_other), *_ = case.takes.items()
    assert of_one != of_other
    mail, server = f"{case.name} {one};", f"{case.name} {other};"
    assert value(load_text(file(mail=mail)), case.setting) == of_one
    assert value(load_text(file(mail=mail, server=server)), case.setting) == of_other
    behind = load_text(file(server=server).rstrip()[:-1] + f"{mail} }}")
    assert value(behind, case.setting) == of_other


REPEATED = [case for case in CASES if case.takes and case.repeat != "any"]


@pytest.mark.parametrize("case", REPEATED, ids=lambda case: case.name)
def test_a_second_one_in_a_block(load_text: LoadText, case: Case) -> None:
    one, other = (list(case.takes) * 2)[:2]
    if case.setting == "listens":
        one, other = "143", "127.0.0.1:8000"
    loaded = load_text(text(case, one, other))
    if case.repeat == "refused":
        assert [problem.message for problem in loaded.problems] == [
            f'"{case.name}" directive is duplicate'
        ]
    elif case.repeat == "replaces":
        assert value(loaded, case.setting) == case.takes[other]
    else:
        found, first, second = (value(loaded, case.setting), case.takes[one], case.takes[other])
        assert set(found) == {*first, *second}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_elsewhere_it_is_not_allowed(load_text: LoadText, case: Case) -> None:
    elsewhere = [row.contexts for row in ROWS if row.name == case.name and row.name not in BLOCKS]
    allowed = {context.name.lower() for contexts in elsewhere for context in contexts}
    argument = next(iter({**case.takes, **case.notices, **case.refuses}))
    for where in {"main", "events", "mail", "server"} - allowed:
        loaded = load_text(text(case, argument, where=where))
        assert f'"{case.name}" directive is not allowed here' in {
            problem.message for problem in loaded.problems
        }


# --- the table itself ---------------------------------------------------------------------------


def test_every_directive_of_the_specification_has_a_row() -> None:
    assert {row.name for row in ROWS} >= SPECIFIED


def test_every_directive_that_is_read_is_tested_here() -> None:
    assert {row.name for row in ROWS} == {case.name for case in CASES} | BLOCKS


def test_no_directive_is_taken_without_effect_or_word() -> None:
    for row in ROWS:
        is_refused = row.kind is None and not row.remark and row.block is None
        assert row.field or row.remark or row.block or is_refused, row.name


def test_a_directive_says_something_or_does_something(load_text: LoadText) -> None:
    plain = load_text(file()).snapshot
    for case in CASES:
        if case.setting or case.notices:
            continue
        refused = load_text(text(case, next(iter(case.refuses)))).problems
        taken = [load_text(text(case, words)).snapshot for words in case.takes]
        assert refused or any(snapshot != plain for snapshot in taken), case.name
