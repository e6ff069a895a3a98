"""``resolver``, ``set_real_ip_from``, ``proxy_protocol``: forms, refusals, inheritance."""

import pytest

from proxycore.contract.snapshot import AuthBackup, Resolver, Server
from proxycore.nginxconf import Loaded
from tests.unit.proxycore.nginxconf.conftest import LoadText


def serve(load_text: LoadText, mail: str, server: str = "") -> Loaded:
    return load_text(f"mail {{ auth_http h; {mail} server {{ listen 25; {server} }} }}")


def only(loaded: Loaded) -> Server:
    assert loaded.problems == []
    assert loaded.snapshot is not None
    (server,) = loaded.snapshot.servers
    return server


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("off", Resolver()),
        ("127.0.0.1", Resolver(addresses=("127.0.0.1",))),
        (
            "10.0.0.1:5353 [::1] [::1]:54 ns.example valid=30s ipv6=off",
            Resolver(
                addresses=("10.0.0.1:5353", "[::1]", "[::1]:54", "ns.example"),
                valid_ms=30_000,
                ipv6=False,
            ),
        ),
        ("ipv4=off ::1", Resolver(addresses=("::1",), ipv4=False)),
    ],
)
def test_forms_of_resolver(load_text: LoadText, text: str, wanted: Resolver) -> None:
    assert only(serve(load_text, f"resolver {text};")).resolver == wanted


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("valid=30s", "no name servers defined"),
        ("1.1.1.1 valid=soon", "invalid parameter: valid=soon"),
        ("1.1.1.1 ipv6=maybe", "invalid parameter: ipv6=maybe"),
        ("1.1.1.1 ipv4=off ipv6=off", '"ipv4" and "ipv6" cannot both be "off"'),
        ("1.1.1.1:0", 'invalid port in resolver "1.1.1.1:0"'),
        ("[::1", 'invalid IPv6 address in resolver "[::1"'),
        ("a/b", 'host not found in resolver "a/b"'),
        (":53", 'no host in resolver ":53"'),
    ],
)
def test_refused_resolvers(load_text: LoadText, text: str, message: str) -> None:
    (problem,) = serve(load_text, f"resolver {text};").problems
    assert problem.message == message


def test_a_server_block_turns_the_resolver_off_again(load_text: LoadText) -> None:
    loaded = serve(load_text, "resolver 1.1.1.1; resolver_timeout 5s;", "resolver off;")
    server = only(loaded)
    assert (server.resolver, server.resolver_timeout_ms) == (Resolver(), 5_000)
    (problem,) = serve(load_text, "resolver off; resolver 1.1.1.1;").problems
    assert problem.message == '"resolver" directive is duplicate'


def test_sources_of_real_addresses_add_up_and_are_replaced_as_a_whole(load_text: LoadText) -> None:
    mail = "set_real_ip_from 127.0.0.1; set_real_ip_from 10.0.0.0/8; set_real_ip_from lb.example;"
    assert only(serve(load_text, mail)).set_real_ip_from == (
        "127.0.0.1",
        "10.0.0.0/8",
        "lb.example",
    )
    assert only(serve(load_text, mail, "set_real_ip_from unix:;")).set_real_ip_from == ("unix:",)


def test_low_bits_of_a_network_are_left_out_with_a_warning(load_text: LoadText) -> None:
    loaded = serve(load_text, "set_real_ip_from 10.1.2.3/8;")
    assert only(loaded).set_real_ip_from == ("10.0.0.0/8",)
    assert "low address bits of 10.1.2.3/8 are meaningless" in loaded.notices[0].message


@pytest.mark.parametrize("text", ["10.0.0.0/33", "1.2.3", "a/b", "::1%eth0"])
def test_refused_sources(load_text: LoadText, text: str) -> None:
    (problem,) = serve(load_text, f"set_real_ip_from {text};").problems
    assert problem.message == f'host not found in set_real_ip_from "{text}"'


@pytest.mark.parametrize("text", ["off", "on", "v2"])
def test_proxy_protocol_towards_mail_servers(load_text: LoadText, text: str) -> None:
    assert only(serve(load_text, f"proxy_protocol {text};")).proxy_protocol == text


def test_refused_proxy_protocol(load_text: LoadText) -> None:
    (problem,) = serve(load_text, "proxy_protocol v3;").problems
    assert problem.message == 'invalid value "v3"'


def test_a_socket_that_expects_a_header(load_text: LoadText) -> None:
    loaded = load_text(
        "mail { auth_http h; server { listen 25 proxy_protocol backlog=9; listen 26; } }"
    )
    first, second = only(loaded).listens
    assert (first.proxy_protocol, first.backlog, second.proxy_protocol) == (True, 9, False)


def test_an_auth_service_over_https_and_its_backups(load_text: LoadText) -> None:
    loaded = load_text(
        "mail { auth_http https://a/x;\n"
        "auth_http_backup http://b:81/x https://c unix:/run/auth:/x;\n"
        "auth_http_ssl_trusted_certificate /etc/ca.pem;\n"
        "server { listen 143; } }"
    )
    auth = only(loaded).auth_http
    assert (auth.host, auth.port, auth.uri, auth.ssl) == ("a", 443, "/x", True)
    assert auth.ssl_trusted_certificate == "/etc/ca.pem"
    assert auth.backups == (
        AuthBackup(host="b", port=81, uri="/x"),
        AuthBackup(host="c", port=443, ssl=True),
        AuthBackup(host="unix:/run/auth", port=0, uri="/x"),
    )
