"""TLS settings as data: there and back, and what no single field shows."""

import pytest

from proxycore.contract.codec import Invalid, decode, encode
from proxycore.contract.fields import settings_of
from proxycore.contract.secret import Secret
from proxycore.contract.tls import (
    BackTls,
    Certificate,
    ConfCommand,
    FrontTls,
    find_back_problems,
    find_front_problems,
)

PAIR = Certificate(ssl_certificate="a.crt", ssl_certificate_key=Secret("a.key"))


def test_settings_go_to_json_and_back() -> None:
    front = FrontTls(
        certificates=(PAIR,),
        ssl_conf_command=(ConfCommand(name="Options", value="-SessionTicket"),),
        ssl_session_ticket_key=(Secret("data:AAAA"),),
    )
    assert decode(FrontTls, encode(front, reveal=True)) == front
    back = BackTls(proxy_ssl="starttls", proxy_ssl_pins=("sha256/" + "A" * 43 + "=",))
    assert decode(BackTls, encode(back, reveal=True)) == back


def test_commands_may_have_content_which_is_not_shown() -> None:
    command = ConfCommand(name="PrivateKey", value="data:-----BEGIN KEY-----\nsesame\n")
    assert decode(ConfCommand, encode(command)) == command
    assert "sesame" not in repr(FrontTls(ssl_conf_command=(command,)))
    with pytest.raises(Invalid):
        decode(ConfCommand, {"name": "Options", "value": "a\nb"})


def test_keys_are_not_shown() -> None:
    front = FrontTls(
        certificates=(PAIR,),
        ssl_password_file=Secret("data:sesame"),
        ssl_session_ticket_key=(Secret("data:c2VzYW1l"),),
    )
    text = repr(front) + repr(encode(front))
    assert "a.key" not in text
    assert "sesame" not in text
    assert "c2VzYW1l" not in text


@pytest.mark.parametrize("cls", [FrontTls, BackTls, Certificate, ConfCommand])
def test_every_setting_is_explained(cls: type) -> None:
    declared = settings_of(cls)
    assert set(declared) == set(cls.__dataclass_fields__)  # type: ignore[attr-defined]
    assert all(setting.help.endswith(".") for setting in declared.values())
    assert all(
        name.endswith(f"_{setting.unit}")
        for name, setting in declared.items()
        if setting.unit in ("ms", "bytes")
    )


@pytest.mark.parametrize(
    ("cls", "plain", "path"),
    [
        (FrontTls, {"starttls": "maybe"}, "starttls"),
        (FrontTls, {"ssl_protocols": ["TLSv2"]}, "ssl_protocols[0]"),
        (FrontTls, {"ssl_ecdh_curve": "a b"}, "ssl_ecdh_curve"),
        (FrontTls, {"ssl_session_cache_shared_bytes": 4096}, "ssl_session_cache_shared_bytes"),
        (FrontTls, {"ssl_verify_client": "yes"}, "ssl_verify_client"),
        (BackTls, {"proxy_ssl": "on"}, "proxy_ssl"),
        (BackTls, {"proxy_ssl_pins": ["sha256/short"]}, "proxy_ssl_pins[0]"),
        (BackTls, {"proxy_ssl_name": "a b"}, "proxy_ssl_name"),
    ],
)
def test_a_wrong_setting_is_named(cls: type, plain: dict[str, object], path: str) -> None:
    with pytest.raises(Invalid) as invalid:
        decode(cls, plain)
    assert [problem.path for problem in invalid.value.problems] == [path]


@pytest.mark.parametrize(
    ("front", "paths"),
    [
        (FrontTls(certificates=(PAIR,)), []),
        (FrontTls(), ["tls.certificates"]),
        (FrontTls(ssl_conf_command=(ConfCommand(name="Certificate", value="x"),)), []),
        (FrontTls(certificates=(PAIR,), ssl_verify_client="on"), ["tls.ssl_verify_client"]),
        (FrontTls(certificates=(PAIR,), ssl_verify_client="optional_no_ca"), []),
        (FrontTls(certificates=(PAIR,), ssl_session_cache="stored"), ["tls.ssl_session_cache"]),
    ],
)
def test_what_no_single_setting_of_the_front_shows(front: FrontTls, paths: list[str]) -> None:
    assert [problem.path for problem in find_front_problems(front, "tls")] == paths


@pytest.mark.parametrize(
    ("back", "paths"),
    [
        (BackTls(), []),
        (BackTls(proxy_ssl_certificate="x"), ["tls.proxy_ssl_certificate_key"]),
        (BackTls(proxy_ssl_certificate_key=Secret("x")), ["tls.proxy_ssl_certificate"]),
        (
            BackTls(proxy_ssl_verify=False, proxy_ssl_pins=("sha256/" + "A" * 43 + "=",)),
            ["tls.proxy_ssl_pins"],
        ),
    ],
)
def test_what_no_single_setting_of_the_back_shows(back: BackTls, paths: list[str]) -> None:
    assert [problem.path for problem in find_back_problems(back, "tls")] == paths
