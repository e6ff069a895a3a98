"""Probes of real mail servers: one goes down and comes back, TLS that proves itself or not."""

from collections.abc import Generator
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from appliance.alerts.models import Alert
from appliance.routing import services
from appliance.routing.choices import HealthState, HealthUse, HostTls, MatchKind
from appliance.routing.decide import DecisionInput, decide
from appliance.routing.health import policy, probe
from appliance.routing.health import services as health
from appliance.routing.health.models import HostHealth
from appliance.routing.health.probe import Found, Target
from appliance.routing.models import MailHost, Route
from appliance.servers.choices import AuthService
from appliance.servers.models import ServerBlock
from proxycore.contract.protocol import Protocol
from proxycore.contract.tls import DATA, BackTls
from tests.support import cast
from tests.support.dovecot import Dovecot
from tests.support.pki import Authority
from tests.support.postfix import Postfix


def _trusting(authorities: str) -> BackTls:
    return BackTls(proxy_ssl_trusted_certificate=authorities)


def _probe(
    port: int, tls: str = "off", protocol: Protocol = Protocol.IMAP, **more: object
) -> Found:
    target = Target(1, protocol, "127.0.0.1", port, tls, **more)  # type: ignore[arg-type]
    return probe.probe(target)


@pytest.fixture
def own() -> Generator[Dovecot, None, None]:
    """A mail server that a test may stop."""
    with Dovecot("own", cast.PASSWORDS) as server:
        yield server


@pytest.fixture
def secure() -> Generator[tuple[Dovecot, Authority], None, None]:
    """A mail server with TLS of an authority that the system does not know."""
    authority = Authority()
    with Dovecot("secure", cast.PASSWORDS, pair=authority.issue("mail.example.com")) as server:
        yield server, authority


@pytest.mark.django_db(transaction=True)
def test_a_mail_server_goes_down_and_comes_back(own: Dovecot, mailhost02: Dovecot) -> None:
    clear = dict.fromkeys(("imap_tls", "pop3_tls", "smtp_tls"), HostTls.NONE)
    ServerBlock.objects.create(name="imap", protocol="imap")
    hosts = [
        MailHost(name=server.name, address="127.0.0.1", imap_port=server.imap_port, **clear)
        for server in (own, mailhost02)
    ]
    for host in hosts:
        host.use_health = HealthUse.AVOID
        services.save_mail_host(host)
    services.save_route(Route(mail_host=hosts[0], match=MatchKind.DEFAULT), hosts[1:])
    clock = timezone.now()

    def rounds(count: int) -> None:
        nonlocal clock
        for _ in range(count):
            clock += health.EVERY + timedelta(seconds=1)
            health.probe_due(clock)

    def where() -> set[str]:
        logins = (f"user{i}".encode() for i in range(20))
        return {str(decide(DecisionInput(Protocol.IMAP, login)).host) for login in logins}

    rounds(1)
    row = HostHealth.objects.get(mail_host=hosts[0])
    assert (row.state, row.reason) == (HealthState.UP, "")
    assert where() == {own.name, mailhost02.name}
    own.stop()
    rounds(policy.DOWN_AFTER)
    row.refresh_from_db()
    assert (row.state, row.reason) == (
        HealthState.DOWN,
        "connection refused: nothing listens there",
    )
    assert where() == {mailhost02.name}
    assert Alert.objects.get().cleared_at is None
    own.start()
    rounds(policy.UP_AFTER)
    row.refresh_from_db()
    assert (row.state, row.reason) == (HealthState.UP, "")
    assert where() == {own.name, mailhost02.name}
    assert Alert.objects.get().cleared_at is not None
    # a probe that logged in would be in its log
    assert own.logins() == []


@pytest.mark.parametrize("tls", ["on", "starttls"])
@pytest.mark.parametrize("protocol", [Protocol.IMAP, Protocol.POP3])
def test_tls_has_to_prove_itself(
    secure: tuple[Dovecot, Authority], tls: str, protocol: Protocol, tmp_path: Path
) -> None:
    server, authority = secure
    ports = {
        (Protocol.IMAP, "on"): server.imaps_port,
        (Protocol.IMAP, "starttls"): server.imap_port,
        (Protocol.POP3, "on"): server.pop3s_port,
        (Protocol.POP3, "starttls"): server.pop3_port,
    }
    port, name = ports[protocol, tls], "mail.example.com"
    file = tmp_path / "authority.pem"
    file.write_text(authority.pem)
    for known in (DATA + authority.pem, str(file)):
        found = _probe(port, tls, protocol, name=name, policy=_trusting(known))
        assert found.reason == ""
        assert found.latency_ms is not None
    stranger = _probe(port, tls, protocol, name=name)
    assert (stranger.latency_ms, stranger.reason) == (
        None,
        'the certificate of "CN=mail.example.com" is from an authority that is not trusted here,'
        " or its chain is incomplete",
    )
    other = _probe(port, tls, protocol, name="x.test", policy=_trusting(DATA + authority.pem))
    assert other.reason == 'the certificate is not for "x.test" but for DNS:mail.example.com'
    unverified = BackTls(proxy_ssl_verify=False)
    assert _probe(port, tls, protocol, name="x.test", policy=unverified).reason == ""


def test_what_cannot_be_verified_here_is_said(secure: tuple[Dovecot, Authority]) -> None:
    policy = _trusting("/etc/of-the-nodes/authority.pem")
    found = _probe(secure[0].imaps_port, "on", name="mail.example.com", policy=policy)
    assert found.latency_ms is not None
    assert found.reason == (
        "not verified: proxy_ssl_trusted_certificate /etc/of-the-nodes/authority.pem is a file"
        " that the nodes have"
    )


@pytest.mark.django_db
def test_up_means_that_the_logins_of_every_server_block_get_through(
    secure: tuple[Dovecot, Authority],
) -> None:
    server, authority = secure
    for name, trusted in (("inside", authority.pem), ("outside", ""), ("elsewhere", "")):
        block = ServerBlock(name=name, protocol="imap", proxy_ssl_trusted_certificate=trusted)
        block.auth_service = AuthService.EXTERNAL if name == "elsewhere" else AuthService.BUILTIN
        block.save()
    host = MailHost(name="secure", address="127.0.0.1", imap_port=server.imaps_port)
    host.tls_name, host.imap_tls = "mail.example.com", HostTls.IMPLICIT
    services.save_mail_host(host)
    clock = timezone.now()
    health.probe_due(clock)
    row = HostHealth.objects.get()
    assert (row.protocol, row.state) == ("imap", HealthState.UNKNOWN)
    assert row.reason == (
        'at server block outside: the certificate of "CN=mail.example.com" is from an authority'
        " that is not trusted here, or its chain is incomplete"
    )
    ServerBlock.objects.filter(name="outside").update(proxy_ssl_trusted_certificate=authority.pem)
    health.probe_due(clock + health.EVERY)
    row.refresh_from_db()
    assert (row.state, row.reason) == (HealthState.UP, "")


def test_what_is_wrong_is_said_in_words(mailhost01: Dovecot) -> None:
    assert _probe(mailhost01.pop3_port).reason.startswith("unexpected greeting: +OK")
    assert _probe(mailhost01.imap_port, "on", name="127.0.0.1").reason.startswith("no TLS: ")
    assert _probe(mailhost01.imap_port, "starttls").reason.startswith(
        "unexpected answer to STARTTLS: s BAD"
    )
    lost = probe.probe_all([Target(1, Protocol.IMAP, "nobody.invalid", 143, "off")])
    assert [(one.is_nameless, one.reason) for one in lost] == [
        (True, "the name nobody.invalid cannot be looked up")
    ]


def test_a_mail_server_that_takes_mail_answers(mta: Postfix) -> None:
    found = _probe(mta.port, protocol=Protocol.SMTP)
    assert (found.reason, found.latency_ms is not None) == ("", True)


@pytest.mark.parametrize("version", ["on", "v2"])
def test_a_mail_server_that_wants_to_hear_who_comes_is_told(version: str) -> None:
    authority = Authority()
    policy = _trusting(DATA + authority.pem)
    with Postfix("behind", pair=authority.issue("mail.example.com")) as server:
        for port, tls in ((server.behind_port, "starttls"), (server.sealed_behind_port, "on")):
            way = {"name": "mail.example.com", "policy": policy}
            found = _probe(port, tls, Protocol.SMTP, **way, proxy_protocol=version)
            assert (found.reason, found.latency_ms is not None) == ("", True)
            assert _probe(port, tls, Protocol.SMTP, **way).latency_ms is None
