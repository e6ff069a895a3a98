"""Dynamic updates at a real BIND: what is added, what stays, what is said when it will not."""

from collections.abc import Iterator
from typing import Any

import pytest

from appliance.acme.models import DnsSolver
from appliance.acme.solvers import SolverError, build
from appliance.acme.solvers.rfc2136 import Rfc2136Solver
from tests.support.dns_server import DnsServer
from tests.support.ports import free_port, release

NAME = "_acme-challenge.mail.example.test"
WRONG_SECRET = "d3Jvbmcgd3Jvbmcgd3Jvbmcgd3Jvbmcgd3Jvbmch"  # "wrong wrong …"


@pytest.fixture(scope="module")
def server() -> Iterator[DnsServer]:
    with DnsServer(zones=("example.test", "sub.example.test")) as named:
        yield named


def solver(server: DnsServer, **more: Any) -> Rfc2136Solver:
    settings = DnsSolver(**server.settings(**more))
    assert isinstance(build(settings), Rfc2136Solver)
    return Rfc2136Solver(settings, name_server_port=server.port)


@pytest.mark.parametrize("zone", ["", "example.test"])
def test_a_record_comes_beside_others_and_goes_alone(server: DnsServer, zone: str) -> None:
    one = solver(server, zone=zone)
    one.present(NAME, "first")
    one.present(NAME, "second")
    one.present(NAME, "second")
    assert server.ask(NAME) == ["first", "second"]
    one.cleanup(NAME, "first")
    one.cleanup(NAME, "first")
    assert server.ask(NAME) == ["second"]
    one.cleanup(NAME, "second")
    assert server.ask(NAME) == []


def test_the_zone_is_the_closest_that_is_served(server: DnsServer) -> None:
    name = "_acme-challenge.mail.sub.example.test"
    solver(server).present(name, "value")
    assert server.ask(name) == ["value"]
    solver(server).cleanup(name, "value")


@pytest.mark.parametrize("algorithm", ["hmac-sha384", "hmac-sha512"])
def test_other_algorithms_sign_as_well(algorithm: str) -> None:
    with DnsServer(algorithm=algorithm) as server:
        solver(server).present(NAME, "value")
        assert server.ask(NAME) == ["value"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"tsig_secret": WRONG_SECRET}, "the TSIG secret is not the one it has"),
        ({"tsig_name": "other."}, "it does not know the TSIG key"),
        ({"tsig_name": ""}, "refuses the update"),
        ({"tsig_secret": "no base64!"}, "not Base64"),
        ({"zone": "example.org"}, "is not in the zone example.org"),
    ],
)
def test_what_hinders_is_said_without_the_secret(
    server: DnsServer, more: dict[str, Any], said: str
) -> None:
    with pytest.raises(SolverError, match=said) as caught:
        solver(server, **more).present(NAME, "value")
    assert server.secret not in str(caught.value)
    assert server.ask(NAME) == []


def test_a_zone_it_does_not_serve_is_named(server: DnsServer) -> None:
    with pytest.raises(SolverError, match=r"does not serve a zone for _acme-challenge.example.org"):
        solver(server).present("_acme-challenge.example.org", "value")


def test_a_server_that_is_not_there_is_named(server: DnsServer) -> None:
    port = free_port()
    with pytest.raises(SolverError, match=r"DNS server 127.0.0.1: "):
        solver(server, port=port, zone="example.test", timeout_s=1).present(NAME, "value")
    release(port)


def test_a_record_is_missing_until_every_name_server_has_it(server: DnsServer) -> None:
    one = solver(server)
    assert one.missing(NAME, "value") == "127.0.0.1"
    one.present(NAME, "value")
    assert one.missing(NAME, "value") == ""
    one.cleanup(NAME, "value")


def test_a_name_server_that_is_behind_its_primary_is_named(server: DnsServer) -> None:
    with DnsServer() as behind:
        # another address than its name server's, as a primary has that nobody else asks
        hidden = DnsSolver(**server.settings(server="::1"))
        one = Rfc2136Solver(hidden, name_server_port=behind.port)
        one.present(NAME, "value")
        assert one.missing(NAME, "value") == "ns1.example.test"
        solver(behind).present(NAME, "value")
        assert one.missing(NAME, "value") == ""
        one.cleanup(NAME, "value")
