"""TLS in the table of test_directives.py; what blocks as a whole come to is in test_tls."""

from typing import Any

from proxycore.contract.secret import Secret
from proxycore.contract.tls import ConfCommand
from tests.unit.proxycore.nginxconf.directive_rows import NUMBER, VALUE, Case

_ON_OR_OFF = 'invalid value "yes" in "{name}" directive, it must be "on" or "off"'
_SSL_DEPRECATED = 'the "ssl" directive is deprecated, use the "listen ... ssl" directive instead'
_PIN = "sha256/" + "A" * 43 + "="
_OTHER_PIN = "sha256/" + "B" * 43 + "="


def _flag(leg: str, name: str) -> Case:
    takes = {"on": True, "OFF": False}
    return Case(name=name, setting=f"{leg}.{name}", takes=takes, refuses={"yes": _ON_OR_OFF})


def _text(leg: str, name: str, one: str, other: str) -> Case:
    takes = {one: one, other: other}
    return Case(name=name, setting=f"{leg}.{name}", takes=takes, refuses={"": "", "a b": ""})


def _file(leg: str, name: str) -> Case:
    return _text(leg, name, "/one.pem", "/two.pem")


def _secret_file(leg: str, name: str) -> Case:
    takes = {path: Secret(path) for path in ("/one", "/two")}
    return Case(name=name, setting=f"{leg}.{name}", takes=takes, refuses={"": ""})


def _commands(leg: str, name: str) -> Case:
    one, other = ("Options", "NoRenegotiation"), ("MinProtocol", "TLSv1.2")
    takes: dict[str, Any] = {
        " ".join(pair): (ConfCommand(name=pair[0], value=pair[1]),) for pair in (one, other)
    }
    return Case(
        name=name,
        setting=f"{leg}.{name}",
        takes=takes,
        refuses={"Options": "", "a b c": ""},
        repeat="adds",
    )


def _protocols(leg: str, name: str) -> Case:
    return Case(
        name=name,
        setting=f"{leg}.{name}",
        takes={"tlsv1.2": ("TLSv1.2",), "TLSv1.3 TLSv1": ("TLSv1", "TLSv1.3")},
        refuses={"": "", "TLSv9": 'invalid value "TLSv9"'},
        notices={
            "SSLv2 SSLv3 TLSv1": "OpenSSL has no SSLv2 and SSLv3 any more",
            "SSLv3": f'nothing of "{name}" is left: TLSv1.2 TLSv1.3 instead',
            "TLSv1.2 TLSv1.2": 'duplicate value "TLSv1.2"',
        },
        repeat="adds",
    )


def _depth(leg: str, name: str) -> Case:
    return Case(
        name=name,
        setting=f"{leg}.{name}",
        takes={"2": 2, "0": 0},
        refuses={"x": NUMBER, "101": "must be at most 100"},
    )


FRONT_TLS = (
    Case(
        name="ssl",
        refuses={
            "yes": _ON_OR_OFF,
            "on": 'no "ssl_certificate" is defined for the "ssl" directive',
        },
        notices={"off": _SSL_DEPRECATED},
    ),
    Case(
        name="starttls",
        setting="front_tls.starttls",
        takes={"off": "off"},
        refuses={
            "maybe": 'invalid value "maybe"',
            "ON": 'no "ssl_certificate" is defined for the "starttls" directive',
            "only": 'no "ssl_certificate" is defined for the "starttls" directive',
        },
    ),
    # alone it has no pair; test_tls has both
    Case(
        name="ssl_certificate",
        setting="front_tls.certificates",
        takes={"/one.pem": ()},
        refuses={"": "", "a b": ""},
        repeat="any",
    ),
    Case(
        name="ssl_certificate_key",
        setting="front_tls.certificates",
        takes={"/one.key": ()},
        refuses={
            "": "",
            "engine:a:b": 'cannot load certificate key "engine:a:b": "engine:" is not supported',
        },
        repeat="any",
    ),
    _secret_file("front_tls", "ssl_password_file"),
    _flag("front_tls", "ssl_certificate_compression"),
    _protocols("front_tls", "ssl_protocols"),
    _text("front_tls", "ssl_ciphers", "HIGH:!aNULL", "ECDHE+AESGCM:@SECLEVEL=1"),
    _flag("front_tls", "ssl_prefer_server_ciphers"),
    _text("front_tls", "ssl_ecdh_curve", "X25519:prime256v1", "auto"),
    _file("front_tls", "ssl_dhparam"),
    Case(
        name="ssl_session_cache",
        setting="front_tls.ssl_session_cache",
        takes={
            "off": "off",
            "none": "none",
            "builtin": "stored",
            "builtin:1000 shared:SSL:10m": "stored",
            "shared:SSL:32k": "stored",
        },
        refuses={
            "": "",
            "x": 'invalid session cache "x"',
            "OFF": 'invalid session cache "OFF"',
            "builtin:x": 'invalid session cache "builtin:x"',
            "shared:SSL": 'invalid session cache "shared:SSL"',
            "shared::1m": 'invalid session cache "shared::1m"',
            "shared:SSL:1g": 'invalid session cache "shared:SSL:1g"',
            "shared:SSL:31k": 'session cache "shared:SSL:31k" is too small',
            "builtin shared:a:1m none": "",
        },
        notices={"builtin:0": "10000000 is used"},
        repeat="any",
    ),
    Case(
        name="ssl_session_timeout",
        setting="front_tls.ssl_session_timeout_ms",
        takes={"90": 90_000, "'1h 30m'": 5_400_000, "1d12h": 129_600_000},
        refuses={"x": VALUE, "5ms": VALUE, "1m1h": VALUE, "''": VALUE, "1s5": VALUE, "h": VALUE},
        notices={"1M": "604800s are used", "0": "1s are used", "1y": "604800s are used"},
    ),
    _flag("front_tls", "ssl_session_tickets"),
    Case(
        name="ssl_session_ticket_key",
        setting="front_tls.ssl_session_ticket_key",
        takes={"/one": (Secret("/one"),), "/two": (Secret("/two"),)},
        refuses={"": "", "a b": ""},
        repeat="adds",
    ),
    Case(
        name="ssl_verify_client",
        setting="front_tls.ssl_verify_client",
        takes={"off": "off", "OPTIONAL_no_ca": "optional_no_ca", "on": "on"},
        refuses={"maybe": 'invalid value "maybe"'},
    ),
    _depth("front_tls", "ssl_verify_depth"),
    _file("front_tls", "ssl_client_certificate"),
    _file("front_tls", "ssl_trusted_certificate"),
    _file("front_tls", "ssl_crl"),
    _commands("front_tls", "ssl_conf_command"),
)

BACK_TLS = (
    Case(
        name="proxy_ssl",
        setting="back_tls.proxy_ssl",
        takes={"on": "implicit", "STARTTLS": "starttls", "off": "none", "implicit": "implicit"},
        refuses={"yes": 'invalid value "yes"', "": ""},
    ),
    _flag("back_tls", "proxy_ssl_verify"),
    _depth("back_tls", "proxy_ssl_verify_depth"),
    _file("back_tls", "proxy_ssl_trusted_certificate"),
    Case(
        name="proxy_ssl_pin",
        setting="back_tls.proxy_ssl_pins",
        takes={_PIN: (_PIN,), f"{_OTHER_PIN} {_PIN}": (_OTHER_PIN, _PIN)},
        refuses={"": "", "sha1/x": 'invalid value "sha1/x", it must be "sha256/"'},
        repeat="adds",
    ),
    _file("back_tls", "proxy_ssl_crl"),
    _text("back_tls", "proxy_ssl_name", "mail.example", "other.example"),
    _flag("back_tls", "proxy_ssl_server_name"),
    Case(
        name="proxy_ssl_certificate",
        refuses={"/one.pem": 'no "proxy_ssl_certificate_key" is defined', "": ""},
    ),
    Case(
        name="proxy_ssl_certificate_key",
        refuses={"/one.pem": 'no "proxy_ssl_certificate" is defined', "store:x": '"store:"'},
    ),
    _secret_file("back_tls", "proxy_ssl_password_file"),
    _protocols("back_tls", "proxy_ssl_protocols"),
    _text("back_tls", "proxy_ssl_ciphers", "HIGH", "DEFAULT"),
    _flag("back_tls", "proxy_ssl_session_reuse"),
    _commands("back_tls", "proxy_ssl_conf_command"),
)
