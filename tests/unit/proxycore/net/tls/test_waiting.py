"""Where sessions that speak TLS stand before they have logged in."""

import pytest

from proxycore.contract.session import Standing, WaitingSession
from proxycore.net.waiting import Surveyed
from proxycore.policy.pace import Pace
from tests.unit.proxycore.net.house import House
from tests.unit.proxycore.net.tls.house import client_of, serve

READY = b"* OK IMAP4 ready\r\n"


def waiting(house: House, wanted: Standing) -> WaitingSession:
    """Look until the only session stands there, and give it."""

    def found() -> WaitingSession | None:
        answers: list[Surveyed] = []
        house.engine.survey(9, answers.append)
        house.pump(lambda: answers, "the survey's answer")
        return next((one for one in answers[0].sessions if one.standing is wanted), None)

    session = house.pump(found, f"a session {wanted}")
    assert session is not None
    return session


def test_a_handshake_that_does_not_begin(house: House) -> None:
    serve(house, implicit=True)
    client = client_of(house)
    assert waiting(house, Standing.HANDSHAKE).tls == ""
    client.shake().expect(READY)
    assert waiting(house, Standing.IDENTIFYING).tls == "TLSv1.3"


def test_starttls_that_is_not_taken_up(house: House) -> None:
    serve(house, starttls="on")
    client = client_of(house)
    client.expect(READY)
    client.send(b"1 STARTTLS\r\n").expect(b"1 OK completed\r\n")
    waiting(house, Standing.HANDSHAKE)


@pytest.mark.parametrize("implicit", [True, False])
def test_a_handshake_that_waits_for_its_turn(house: House, implicit: bool) -> None:
    serve(house, implicit=implicit, starttls="on")
    gate = house.engine._context.gate
    gate.all_handshakes, gate.pace = Pace(0.001, 0), Pace(0.001, 0)
    client = client_of(house)
    if not implicit:
        client.expect(READY)
        client.send(b"1 STARTTLS\r\n").expect(b"1 OK completed\r\n")
    client.begin()
    waiting(house, Standing.QUEUED)
