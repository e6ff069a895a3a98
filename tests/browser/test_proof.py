"""A certificate that is about to expire is renewed by itself, and every node is seen to serve it.

Two nodes with one configuration on one machine: they listen on ``localhost``, which the second one
finds elsewhere.
"""

import contextlib
import os
import ssl
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from playwright.sync_api import Browser, Page, expect

from tests.support import cast, process
from tests.support.appliance import ADMINISTRATOR, ADMINISTRATOR_PASSWORD, Appliance
from tests.support.browser import keep_screenshot, sign_in
from tests.support.dovecot import Dovecot
from tests.support.pebble import Names, Pebble
from tests.support.pki import Authority, Pair
from tests.support.proxycore import Proxycore
from tests.support.talk import Imap, Pop3, Smtp, Talk
from tests.support.wait import eventually

HERE, THERE = "127.0.0.1", "127.0.0.2"
NAME = "mail.example.com"
QUOTED = '"' + cast.PASSWORDS[cast.ALICE].replace("\\", "\\\\").replace('"', '\\"') + '"'

KINDS = (Imap, Pop3, Smtp)
ASK = ("a STARTTLS", "STLS", "EHLO client.test\nSTARTTLS")
"""What begins TLS, in the order of ``Front.ports``."""

SETUP = """
import os
from appliance.certs import reading, services as certs
from appliance.certs.models import Certificate
from appliance.fleet.models import Node
from appliance.fleet.services import nodes
from appliance.publish import services as publish
from appliance.servers import services
from appliance.servers.models import ServerBlock
from django.utils import timezone

material = reading.from_pem(os.environb[b"PEM"], os.environb[b"KEY"], None, timezone.now())
certificate = certs.save(Certificate(name="mail.example.com"), material)
for block in ServerBlock.objects.all():
    services.choose_certificates(block, [certificate])
other = Node.objects.get(name="other")
other.probe_address = "127.0.0.2"
nodes.configure(other)
local = Node.objects.get(name="local")
local.probe_address, local.acme_http_listen = "127.0.0.1", ["127.0.0.1:" + os.environ["PORT"]]
nodes.configure(local)
publish.publish()
"""

RENEW = """
import os
from datetime import timedelta
from django.utils import timezone
from appliance.acme.models import Account, Issuance, Variant
from appliance.acme.services import accounts, issuances
from appliance.certs.models import Certificate

account = accounts.save(Account(name="Pebble", contact=["ops@example.com"], terms_agreed=True,
    directory_url=os.environ["DIRECTORY"], ca_bundle=os.environ["AUTHORITY"]))
certificate = Certificate.objects.get(name="mail.example.com")
issuance = Issuance(account=account, name="mail.example.com", names=["mail.example.com"],
                    enabled=False)
issuances.save(issuance, adopt=certificate)
# as if it had come from there: what is left of its lifetime is less than a third
Variant.objects.update(fingerprint=certificate.fingerprint, not_after=certificate.not_after,
                       renew_at=timezone.now() - timedelta(hours=1))
Issuance.objects.update(enabled=True)
"""


@dataclass
class Fleet:
    """An appliance with its local node, and another one."""

    appliance: Appliance
    other: Proxycore

    @property
    def nodes(self) -> list[tuple[str, list[int]]]:
        """Where each node listens, and its workers."""
        below = process.descendants_of(self.appliance.pid)
        local = next(pid for pid in below if "proxycore serve" in process.command_line(pid))
        return [(HERE, process.children_of(local)), (THERE, self.other.workers())]


@pytest.fixture(scope="module")
def pebble() -> Generator[Pebble, None, None]:
    with Names() as names, Pebble(f"127.0.0.1:{names.port}") as ca:
        yield ca


@pytest.fixture(scope="module")
def expiring() -> Pair:
    """A certificate whose time is nearly over."""
    return Authority("Example").issue(NAME, since_days=-80, days=2)


@pytest.fixture(scope="module")
def fleet(mailhost01: Dovecot, expiring: Pair, pebble: Pebble) -> Generator[Fleet, None, None]:
    with Appliance(
        variables={"POSTROAD_LISTEN_ADDRESS": "localhost", "POSTROAD_AUTH_WAIT_S": "1"}
    ) as appliance:
        appliance.make_administrator()
        appliance.load_example([mailhost01])
        appliance.add_accounts({cast.ALICE: cast.PASSWORDS[cast.ALICE]})
        token = appliance.enrol("other").token
        ports = [*appliance.front.ports, *appliance.secure.ports]
        with Proxycore.managed(
            appliance.link_url, token, ports, workers=2, localhost=THERE
        ) as other:
            appliance.python(
                SETUP, PEM=expiring.pem, KEY=expiring.key_pem, PORT=str(pebble.http_port)
            )
            yield Fleet(appliance, other)


@pytest.fixture
def page(browser: Browser, fleet: Fleet) -> Generator[Page, None, None]:
    context = browser.new_context(
        base_url=fleet.appliance.url, viewport={"width": 1400, "height": 900}
    )
    context.set_default_timeout(20_000)
    opened = context.new_page()
    try:
        sign_in(opened, fleet.appliance.url, ADMINISTRATOR, ADMINISTRATOR_PASSWORD)
        yield opened
    finally:
        context.close()


def fingerprint(der: bytes) -> str:
    return x509.load_der_x509_certificate(der).fingerprint(hashes.SHA256()).hex(":").upper()


def client() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def served(fleet: Fleet, address: str) -> set[str]:
    """Give what is shown by all six listeners of a node."""
    plain, secure = fleet.appliance.front, fleet.appliance.secure
    seen = set()
    for port in secure.ports:
        with Imap(port, address=address) as talk:
            seen.add(shown(talk))
    with Imap(plain.imap, address=address) as talk:
        assert talk.line()
        assert talk.ask("a STARTTLS").startswith("a OK")
        seen.add(shown(talk))
    with Pop3(plain.pop3, address=address) as talk:
        assert talk.line()
        assert talk.ask("STLS").startswith("+OK")
        seen.add(shown(talk))
    with Smtp(plain.smtp, address=address) as talk:
        assert talk.line()
        assert talk.ask("EHLO client.test")
        assert talk.ask("STARTTLS").startswith("220")
        seen.add(shown(talk))
    return seen


def shown(talk: Talk) -> str:
    return fingerprint(talk.seal(client(), NAME).tls.getpeercert(binary_form=True) or b"")


def everybody_serves(fleet: Fleet, wanted: str) -> None:
    """Connect to each listener until every worker behind it has shown its certificate."""
    doors: list[tuple[int, type[Talk], str]] = []
    for port, kind, ask in zip(fleet.appliance.front.ports, KINDS, ASK, strict=True):
        doors.append((port, kind, ask))
    doors += [(port, Imap, "") for port in fleet.appliance.secure.ports]
    for address, workers in fleet.nodes:
        assert len(workers) >= 2
        for port, kind, ask in doors:
            found: dict[int, set[str]] = {}

            def all_have_shown(
                door: tuple[str, int, type[Talk], str] = (address, port, kind, ask),
                found: dict[int, set[str]] = found,
                workers: list[int] = workers,
            ) -> bool:
                show(door, workers, found)
                return found.keys() == set(workers)

            eventually(all_have_shown, f"every worker accepts at {address}:{port}", within_s=20)
            assert set.union(*found.values()) == {wanted}


def show(
    door: tuple[str, int, type[Talk], str], workers: list[int], found: dict[int, set[str]]
) -> None:
    """Connect several times at once; note what each worker shows."""
    address, port, kind, ask = door
    with contextlib.ExitStack() as stack:
        talks = [stack.enter_context(kind(port, address=address)) for _ in range(8)]
        for talk in talks:
            if ask:
                assert talk.line()
                for line in ask.splitlines():
                    assert talk.ask(line)
            seen = shown(talk)
            worker = owner(talk.socket.getsockname()[1], port, workers)
            found.setdefault(worker, set()).add(seen)


def owner(client_port: int, port: int, workers: list[int]) -> int:
    """Give the worker that holds the other end of a connection."""
    ends = (f":{port:04X}", f":{client_port:04X}")
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    inode = next(row[9] for row in rows if row[1].endswith(ends[0]) and row[2].endswith(ends[1]))
    for worker in workers:
        for file in Path(f"/proc/{worker}/fd").iterdir():
            with contextlib.suppress(OSError):
                if os.readlink(file) == f"socket:[{inode}]":
                    return worker
    raise AssertionError("no worker holds it")


def current(fleet: Fleet) -> str:
    """Give the fingerprint of the certificate as it is stored."""
    return fleet.appliance.python(
        "from appliance.certs.models import Certificate\n"
        "print(Certificate.objects.get(name='mail.example.com').fingerprint)"
    ).strip()


def proves(page: Page, expected: str) -> None:
    """Wait until the page says of both nodes that all of it is served."""
    for node in ("local", "other"):
        place = page.locator(f"[data-node={node}]")
        rows = place.locator(f"tr:has([title='{expected}'])[data-verdict=served]")
        expect(rows).to_have_count(6, timeout=30_000)
        expect(place.locator("tr[data-verdict=other], tr[data-verdict=failed]")).to_have_count(0)
    expect(page.get_by_text("All 12 listeners serve what was published")).to_be_visible()
    expect(page.get_by_text("served since").first).to_be_visible()


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_renewed_certificate_is_served_everywhere_and_no_session_ends(
    page: Page, fleet: Fleet, pebble: Pebble, expiring: Pair
) -> None:
    old = expiring.certificate.fingerprint(hashes.SHA256()).hex(":").upper()
    page.goto("/admin/proof/sighting/")
    proves(page, old)
    keep_screenshot(page, "proof-before-renewal")
    with Imap(fleet.appliance.front.imap, address=THERE) as session:
        assert session.line()
        assert session.ask("s STARTTLS").startswith("s OK")
        session.seal(client(), NAME)
        assert session.ask(f"a LOGIN {cast.ALICE} {QUOTED}").startswith("a OK")
        renew(fleet, pebble)
        new = eventually(lambda: changed(current(fleet), old), "it is renewed", within_s=90)
        proves(page, new)
        everybody_serves(fleet, new)
        assert session.ask("b NOOP").startswith("b OK")
    keep_screenshot(page, "proof-after-renewal")


def replace_certificate(fleet: Fleet, pair: Pair) -> None:
    """Have an operator upload another one and publish it."""
    fleet.appliance.python(
        "import os\n"
        "from django.utils import timezone\n"
        "from appliance.certs import reading, services as certs\n"
        "from appliance.certs.models import Certificate\n"
        "from appliance.publish import services as publish\n"
        "certs.save(Certificate.objects.get(name='mail.example.com'),\n"
        "  reading.from_pem(os.environb[b'PEM'], os.environb[b'KEY'], None, timezone.now()))\n"
        "publish.publish()",
        PEM=pair.pem,
        KEY=pair.key_pem,
    )


def renew(fleet: Fleet, pebble: Pebble) -> None:
    fleet.appliance.python(RENEW, DIRECTORY=pebble.directory_url, AUTHORITY=pebble.authority.pem)


def changed(now: str, old: str) -> str:
    return now if now != old else ""


def test_a_node_that_serves_the_old_one_turns_the_page_red(page: Page, fleet: Fleet) -> None:
    """Its disk was restored from before the renewal, and it does not find the appliance."""
    snapshot = fleet.other.state / "snapshot.json"
    new, kept = current(fleet), snapshot.read_bytes()
    other = Authority("Example").issue(NAME, days=1)
    replace_certificate(fleet, other)
    page.goto("/admin/proof/sighting/")
    proves(page, current(fleet))
    fleet.other.stop()
    snapshot.write_bytes(kept)
    fleet.other.forget_appliance()
    fleet.other.start()
    assert served(fleet, THERE) == {new}
    bad = page.locator("[data-node=other] tr[data-verdict=other]")
    page.get_by_role("button", name="Look now").click()
    expect(bad).to_have_count(6, timeout=30_000)
    expect(page.locator("[data-node=other][data-tone=danger]")).to_be_visible()
    expect(page.locator("[data-node=local][data-tone=success]")).to_be_visible()
    expect(page.get_by_text("6 of 12 listeners serve something else")).to_be_visible()
    keep_screenshot(page, "proof-of-the-old-certificate")
