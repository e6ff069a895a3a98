"""Directives about what is said before login: what they take, refuse, and how they are dumped."""

import pytest

from proxycore.contract.snapshot import Server
from proxycore.nginxconf import dump
from tests.unit.proxycore.nginxconf.conftest import LoadText, mail, remarked, said


def _server(load_text: LoadText, directives: str) -> Server:
    loaded = load_text(mail(directives))
    assert loaded.problems == []
    assert loaded.snapshot is not None
    return loaded.snapshot.servers[0]


@pytest.mark.parametrize(
    ("directives", "field", "value"),
    [
        ("imap_auth cram-md5 plain external;", "imap_auth", ("plain", "cram-md5", "external")),
        ("imap_auth OAUTHBEARER xoauth2;", "imap_auth", ("xoauth2", "oauthbearer")),
        ("pop3_auth external apop plain;", "pop3_auth", ("plain", "apop", "external")),
        ("smtp_auth none login;", "smtp_auth", ("login", "none")),
        ("smtp_auth none;\nsmtp_auth plain;", "smtp_auth", ("plain", "none")),
        (
            "imap_auth plain;\n# postroad: imap_auth_tokens xoauth2;\n",
            "imap_auth",
            ("plain", "xoauth2"),
        ),
        ("pop3_auth_tokens oauthbearer;", "pop3_auth", ("oauthbearer",)),
        ("max_commands 7;", "max_commands", 7),
        ('imap_greeting "* OK hello";', "imap_greeting", "hello"),
        ("imap_greeting hello;", "imap_greeting", "hello"),
        ('pop3_greeting "+OK hello there";', "pop3_greeting", "hello there"),
        ('imap_id name "Post road" version;', "imap_id", ("name", "Post road", "version")),
        ("proxy_issue_imap_id on;", "proxy_issue_imap_id", True),
        ("xclient on;", "xclient_legacy", False),
        ("xclient legacy;", "xclient_legacy", True),
        ("xclient legacy;", "xclient", True),
        ("xclient off;", "xclient", False),
    ],
)
def test_a_directive_becomes_a_setting(
    load_text: LoadText, directives: str, field: str, value: object
) -> None:
    assert getattr(_server(load_text, directives), field) == value


@pytest.mark.parametrize(
    ("directive", "message"),
    [
        ("smtp_auth apop;", 'invalid value "apop"'),
        ("pop3_auth none;", 'invalid value "none"'),
        (
            "xclient maybe;",
            'invalid value "maybe" in "xclient" directive, it must be "on" or "off"',
        ),
        ("max_commands x;", '"max_commands" directive invalid number'),
        ("proxy_issue_imap_id 1;", 'invalid value "1" in "proxy_issue_imap_id" directive, it must'),
    ],
)
def test_a_value_it_cannot_have_is_refused(
    load_text: LoadText, directive: str, message: str
) -> None:
    (found,) = said(load_text(mail(directive)))
    assert found.startswith(f"2: {message}")


def test_a_mechanism_twice_is_a_warning(load_text: LoadText) -> None:
    assert remarked(load_text(mail("imap_auth cram-md5 cram-md5;"))) == [
        'warn 2: duplicate value "cram-md5"'
    ]


def test_a_server_takes_back_the_old_xclient_of_mail(load_text: LoadText) -> None:
    text = mail("xclient on;").replace("mail {", "mail { xclient legacy; ", 1)
    loaded = load_text(text)
    assert loaded.snapshot is not None
    assert not loaded.snapshot.servers[0].xclient_legacy


def test_what_nginx_does_not_know_is_dumped_as_a_comment(load_text: LoadText) -> None:
    loaded = load_text(mail("imap_auth plain cram-md5 xoauth2; xclient legacy; max_commands 7;"))
    assert loaded.snapshot is not None
    text = dump(loaded.snapshot)
    assert "imap_auth plain cram-md5;\n" in text
    assert "# postroad: imap_auth_tokens xoauth2;\n" in text
    assert "# postroad: xclient_legacy on;\n" in text
    assert "# postroad: max_commands 7;\n" in text
    assert load_text(text).snapshot == loaded.snapshot


def test_tokens_alone_leave_nothing_for_nginx(load_text: LoadText) -> None:
    loaded = load_text(mail("smtp_auth oauthbearer;"))
    assert loaded.snapshot is not None
    text = dump(loaded.snapshot)
    assert "smtp_auth_tokens oauthbearer;" in text
    assert "smtp_auth;" not in text
    assert load_text(text).snapshot == loaded.snapshot
