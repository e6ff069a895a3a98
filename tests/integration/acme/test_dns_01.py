"""First issue and renewal by DNS-01: a strict CA looks at a real DNS server that we update."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance.acme.choices import OrderState
from appliance.acme.models import Account, DnsSolver
from tests.support.acme import (
    issuance_for,
    issued,
    leaf,
    led_on,
    open_order,
    registered,
    renewed,
    step,
)
from tests.support.dns_server import DnsServer
from tests.support.pebble import Pebble
from tests.support.require import program

NAMES = ("mail.example.test", "example.test", "*.example.test")
RECORDS = ("_acme-challenge.mail.example.test", "_acme-challenge.example.test")


@pytest.fixture(scope="module")
def server() -> Iterator[DnsServer]:
    with DnsServer() as named:
        yield named


@pytest.fixture(scope="module")
def ca(server: DnsServer) -> Iterator[Pebble]:
    """A strict CA that looks names up at that server."""
    with Pebble(f"127.0.0.1:{server.port}") as running:
        yield running


@pytest.fixture
def by_dns(db: None, ca: Pebble) -> Account:
    return registered(ca)


def solver(server: DnsServer, **more: Any) -> DnsSolver:
    return DnsSolver.objects.create(**server.settings(settle_s=0, **more))


def left(server: DnsServer) -> list[str]:
    """Give what is still there of the proofs."""
    return [one for name in RECORDS for one in server.ask(name)]


def test_a_name_and_its_wildcard_are_proven_side_by_side_and_renewed(
    server: DnsServer, by_dns: Account
) -> None:
    wanted = {"challenge": "dns-01", "solver": solver(server)}
    (variant,) = issued(issuance_for(by_dns, *NAMES, **wanted))
    assert variant.certificate is not None
    assert set(variant.certificate.names) == set(NAMES)
    assert left(server) == []
    before = leaf(variant).serial_number
    assert renewed(variant).state == OrderState.DONE
    assert leaf(variant).serial_number != before
    assert left(server) == []


def test_an_operator_s_program_sets_the_records(
    server: DnsServer, by_dns: Account, tmp_path: Path, settings: Any
) -> None:
    hook = tmp_path / "hook"
    key = f"{server.algorithm}:{server.key}:{server.secret}"
    hook.write_text(
        f"""#!/bin/sh
case $1 in present) change="add $2 60 TXT $3";; cleanup) change="delete $2 TXT $3";; esac
printf 'server 127.0.0.1 {server.port}\\nupdate %s\\nsend\\n' "$change" |
    {program("nsupdate")} -y {key}
"""
    )
    hook.chmod(0o755)
    tmp_path.chmod(0o755)
    settings.ACME_HOOK_DIR = str(tmp_path)
    own = DnsSolver.objects.create(name="own", kind="hook", program="hook", settle_s=0)
    wanted = {"challenge": "dns-01", "solver": own}
    (variant,) = issued(issuance_for(by_dns, "*.example.test", **wanted))
    assert variant.certificate is not None
    assert left(server) == []


def test_a_server_that_refuses_the_key_is_said_with_what_to_do(
    server: DnsServer, by_dns: Account
) -> None:
    wrong = solver(server, tsig_secret="d3Jvbmcgd3Jvbmcgd3Jvbmcgd3Jvbmcgd3Jvbmch")
    issuance = issuance_for(by_dns, "mail.example.test", challenge="dns-01", solver=wrong)
    order = led_on(open_order(issuance.variants.get()), lambda one: "TSIG" in str(one.problem))
    assert "the TSIG secret is not the one it has" in str(order.problem)
    assert order.state == OrderState.CHALLENGED
    # mended by the operator, the same order goes on
    wrong.tsig_secret = server.secret
    wrong.save()
    assert led_on(order).state == OrderState.DONE


def test_the_ca_is_not_asked_to_look_before_every_name_server_has_the_record(
    server: DnsServer, by_dns: Account
) -> None:
    issuance = issuance_for(by_dns, "mail.example.test", challenge="dns-01", solver=solver(server))
    order = led_on(
        open_order(issuance.variants.get()), lambda one: one.state == OrderState.PREPARED
    )
    (name, value) = (RECORDS[0], server.ask(RECORDS[0])[0])
    server.update(f"delete {name} TXT {value}")
    for _ in range(3):
        step(order)
    assert order.state == OrderState.PREPARED
    assert "127.0.0.1 has not got the TXT record yet" in order.steps.last().words
    server.update(f"add {name} 60 TXT {value}")
    assert led_on(order).state == OrderState.DONE
