"""What several workers say of their sessions before login becomes one answer."""

from proxycore.contract.codec import encode
from proxycore.contract.messages import MOST_ADDRESSES, Waiting
from proxycore.contract.session import Standing, WaitingSession
from proxycore.daemon.waiting import add_up


def session(name: str, age_s: float) -> WaitingSession:
    return WaitingSession(
        session=name,
        server="imap",
        protocol="imap",
        client="192.0.2.7",
        client_port=1,
        listen="*:143",
        standing=Standing.IDENTIFYING,
        age_s=age_s,
    )


def told(addresses: dict[str, int], *sessions: WaitingSession) -> dict[str, object]:
    count = sum(addresses.values())
    return {
        "by_standing": {"identifying": count},
        "by_address": addresses,
        "sessions": encode(sessions),
    }


def test_counts_are_sums_and_the_oldest_come_first() -> None:
    one = told({"192.0.2.7": 2, "192.0.2.8": 1}, session("a.1", 30), session("a.2", 10))
    other = told({"192.0.2.7": 1}, session("b.1", 20))
    assert add_up(7, 2, [one, None, other]) == Waiting(
        number=7,
        total=4,
        by_standing={"identifying": 4},
        by_address={"192.0.2.7": 3, "192.0.2.8": 1},
        sessions=(session("a.1", 30), session("b.1", 20)),
        mute=1,
    )


def test_addresses_are_no_more_than_may_be_told() -> None:
    many = {f"192.0.2.{i}": i for i in range(1, MOST_ADDRESSES + 20)}
    found = add_up(1, 1, [told(many)])
    assert len(found.by_address) == MOST_ADDRESSES
    assert next(iter(found.by_address.values())) == MOST_ADDRESSES + 19
    assert found.total == sum(many.values())
