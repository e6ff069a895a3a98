"""Nobody finds out by time which logins exist."""

import time
from collections.abc import Callable
from statistics import median

import pytest

from appliance.authhttp import services as auth
from appliance.credentials import services
from appliance.routing.models import Account, MailHost
from proxycore.contract.authhttp import AuthFailed, AuthRequest
from proxycore.contract.secret import Secret
from tests.unit.appliance.credentials.conftest import cram, submission

ROUNDS = 24

CASES: dict[str, Callable[[], AuthRequest]] = {
    "unknown": lambda: submission(b"nobody", b"wrong"),
    "wrong password": lambda: submission(b"joe", b"wrong"),
    "disabled, right password": lambda: submission(b"off", b"right"),
    "disabled, wrong password": lambda: submission(b"off", b"wrong"),
    "wrong protocol, right password": lambda: submission(b"imapless", b"right"),
    "another network, right password": lambda: submission(b"elsewhere", b"right"),
    "quick scheme": lambda: submission(b"imported", b"wrong"),
    "challenge of an unknown login": lambda: cram(b"nobody", b"wrong"),
    "challenge without a readable password": lambda: cram(b"joe", b"right"),
}


@pytest.fixture
def accounts(first_host: MailHost) -> None:
    """One of each kind; there is no route, so a login without an account goes nowhere."""
    right = Secret("right")
    for account in (
        Account(login="joe"),
        Account(login="off", enabled=False),
        Account(login="imapless", imap_enabled=False),
        Account(login="elsewhere", networks="198.51.100.0/24"),
    ):
        account.mail_host = first_host
        services.save_account(account, password=right)
    services.save_account(
        Account(login="imported", mail_host=first_host),
        imported_hash=Secret("{SSHA}1pswStEF71naRHFw7vEE3bpnn923EH7m"),
    )


def test_all_refusals_have_the_same_words(accounts: None) -> None:
    refusals = [auth.answer(ask()) for ask in CASES.values()]
    assert all(one == refusals[0] for one in refusals)
    assert isinstance(refusals[0], AuthFailed)


def test_all_refusals_take_the_same_time(accounts: None) -> None:
    """CPU time of this thread, in turn, so that neither load nor a drifting clock matters."""
    taken: dict[str, list[float]] = {name: [] for name in CASES}
    for _ in range(ROUNDS):
        for name, ask in CASES.items():
            request = ask()
            began = time.thread_time()
            auth.answer(request)
            taken[name].append(time.thread_time() - began)
    medians = {name: median(times) for name, times in taken.items()}
    # leaving out one verification would be a factor of 10, one query more is 1 %
    assert max(medians.values()) < 1.25 * min(medians.values()), medians
