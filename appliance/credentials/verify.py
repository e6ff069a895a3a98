"""Is this login who it says it is? The one place that decides it, or says that it cannot.

``begin`` is quick: it reads the database and the cache of what was verified before. What takes
long, a slow hash or somebody else's answer, is given back as ``Pending`` for the caller to have
done where it stops nobody (queues). Every refusal is pending on one hash, so unknown login, wrong
password, disabled account and every other cause take the same time.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Final

from django.conf import settings
from django.utils import timezone

from appliance.credentials import app_passwords, challenges, queries, services, verifiers
from appliance.credentials.cache import VerifiedCache
from appliance.credentials.certificates import ClientCertificate
from appliance.credentials.writes import writes
from appliance.lib import vault
from appliance.lib.hashing import DUMMY_HASH, hash_password, is_ours, verify_password
from appliance.routing import networks, rules
from appliance.routing import services as routing
from appliance.routing.decide import Decision
from appliance.routing.models import Account
from proxycore.contract.authhttp import AuthRequest
from proxycore.contract.protocol import Protocol
from proxycore.contract.secret import Secret

PLAIN: Final = "plain"
EXTERNAL: Final = "external"


class Kind(Enum):
    """Where slow work is to be done."""

    HASH = "hash"
    """Needs a core."""
    ASK = "ask"
    """Waits for somebody."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What came out. Only ``answer`` RIGHT means that somebody has looked at the password."""

    answer: verifiers.Answer
    login: bytes | None = None
    """The login that was proven, where the client did not name it."""
    password: Secret | None = None
    """What the mail server takes instead of what the client gave."""
    expires_in_s: int | None = None
    """Time after which the proof itself is void."""


@dataclass(frozen=True, slots=True)
class Result:
    """What slow work found."""

    answer: verifiers.Answer
    better_hash: str = ""


@dataclass(frozen=True, slots=True)
class Pending:
    """The rest of a verification."""

    kind: Kind
    work: Callable[[], Result]
    """Slow; touches no database."""
    finish: Callable[[Result], Proof]
    """Quick; touches no database either, but for what ``writes`` does."""


_RIGHT: Final = Proof(verifiers.Answer.RIGHT)
_WRONG: Final = Proof(verifiers.Answer.WRONG)
_AWAY: Final = Proof(verifiers.Answer.AWAY)
_UNSAID: Final = Proof(verifiers.Answer.UNSAID)


@lru_cache(maxsize=1)
def verified() -> VerifiedCache:
    """Give this process's memory of what was verified."""
    return VerifiedCache(
        vault.derive("verified-credentials")[0], ttl_s=settings.AUTH_VERIFIED_TTL_S
    )


def begin(
    request: AuthRequest, decision: Decision, certificate: ClientCertificate
) -> Proof | Pending:
    """Verify a submission for which routing has decided, as far as it goes quickly."""
    if request.method == PLAIN:
        return _plain(request, decision)
    if request.method in challenges.METHODS:
        return _challenge(request, decision)
    if request.method == EXTERNAL:
        return _external(request, decision, certificate)
    return refusal(request)


def refusal(request: AuthRequest) -> Pending:
    """Refuse, after as long as a wrong password takes."""

    def work() -> Result:
        verify_password(DUMMY_HASH, request.password)
        return Result(verifiers.Answer.WRONG)

    return Pending(Kind.HASH, work, lambda _: _WRONG)


# --- plain --------------------------------------------------------------------------------------


def _plain(request: AuthRequest, decision: Decision) -> Proof | Pending:
    account = decision.account
    digests = app_passwords.digests(request.password)
    # asked for whether or not there is an account: both cost the same
    found = queries.find_app_password(digests) if digests else None
    if decision.is_refused:
        return refusal(request)
    if account is None:
        return _UNSAID
    if found is not None and _may_use(found, account, request):
        used = found.app_password
        writes.do(lambda: services.note_use(used, request.client_ip))
        return Proof(verifiers.Answer.RIGHT, password=found.secret, expires_in_s=_lifetime_s(found))
    if account.verifier_id is not None:
        return _ask(request, decision, account)
    return _compare(request, account) if account.password_hash else _UNSAID


def _may_use(found: queries.Found, account: Account, request: AuthRequest) -> bool:
    one = found.app_password
    is_for: dict[Protocol, bool] = {
        Protocol.IMAP: one.imap_enabled,
        Protocol.POP3: one.pop3_enabled,
        Protocol.SMTP: one.smtp_enabled,
    }
    return (
        one.account_id == account.pk
        and bool(is_for[request.protocol])
        and not one.is_expired
        and networks.contains(one.networks, request.client_ip)
    )


def _lifetime_s(found: queries.Found) -> int | None:
    ends = found.app_password.expires_at
    return None if ends is None else max(0, int((ends - timezone.now()).total_seconds()))


def _compare(request: AuthRequest, account: Account) -> Proof | Pending:
    stored, password = account.password_hash, request.password
    cache = verified()
    if cache.holds(key_of(cache, request, account)):
        return _RIGHT

    def work() -> Result:
        if not verify_password(stored, password):
            return Result(verifiers.Answer.WRONG)
        wants_better = settings.REHASH_PASSWORDS and not is_ours(stored)
        return Result(verifiers.Answer.RIGHT, hash_password(password) if wants_better else "")

    def finish(result: Result) -> Proof:
        if result.answer is not verifiers.Answer.RIGHT:
            return _WRONG
        cache.remember(key_of(cache, request, account))
        if result.better_hash:
            writes.do(lambda: replace(result.better_hash))
        return _RIGHT

    def replace(better: str) -> None:
        if routing.replace_hash(account.pk, stored, better):
            account.password_hash = better
            cache.remember(key_of(cache, request, account))

    return Pending(Kind.HASH, work, finish)


def key_of(cache: VerifiedCache, request: AuthRequest, account: Account, *more: bytes) -> bytes:
    """Give the key of a finding: everything it depends on."""
    return cache.key_of(
        b"%d" % account.pk,
        b"%d" % account.epoch,
        account.password_hash.encode(),
        request.protocol.value.encode(),
        request.method.encode(),
        request.login,
        request.password,
        *more,
    )


def _ask(request: AuthRequest, decision: Decision, account: Account) -> Proof | Pending:
    host = decision.host
    assert host is not None  # not refused
    if decision.hold is not None:
        # nobody is let in, and whom we would ask may be what is being worked at
        return _AWAY
    cache = verified()
    place = f"{host.pk} {host.address} {host.imap_port} {host.pop3_port} {host.smtp_port}"
    key = key_of(
        cache,
        request,
        account,
        b"%d" % (account.verifier_id or 0),
        request.client_ip.encode(),
        place.encode(),
        decision.back_login or b"",
    )
    if cache.holds(key):
        return _RIGHT
    verifier = verifiers.make(queries.verifier_of(account))
    question = verifiers.Question(request, host, decision.back_login)

    def work() -> Result:
        return Result(verifier.verify(question))

    def finish(result: Result) -> Proof:
        if result.answer is verifiers.Answer.RIGHT:
            cache.remember(key)
        return Proof(result.answer)

    return Pending(Kind.ASK, work, finish)


# --- without a password ---------------------------------------------------------------------------


def _challenge(request: AuthRequest, decision: Decision) -> Proof | Pending:
    secret = queries.recoverable_secret(decision.account)
    known = b"" if secret is None else secret.reveal().encode()
    fits = challenges.fits(request.method, request.salt, known, request.password)
    if decision.is_refused or secret is None or not fits:
        return refusal(request)
    return Proof(verifiers.Answer.RIGHT, password=secret)


def _external(
    request: AuthRequest, decision: Decision, certificate: ClientCertificate
) -> Proof | Pending:
    secret = queries.recoverable_secret(decision.account)
    is_proven = login_of(certificate, request.login) == rules.fold(_text(request.login))
    # without it nobody could log in at the mail server (auth-http.md §7)
    lacks_password = secret is None and request.protocol is not Protocol.SMTP
    if decision.is_refused or decision.account is None or not is_proven or lacks_password:
        return refusal(request)
    return Proof(verifiers.Answer.RIGHT, password=secret)


def login_of(certificate: ClientCertificate, claimed: bytes) -> str | None:
    """Give the login a certificate is for: the claimed one if it may be that, or its only one.

    The mapping rule is POSTROAD_CERTIFICATE_LOGIN, the subject's attribute that holds the login.
    """
    names = [rules.fold(name) for name in certificate.logins(settings.CERTIFICATE_LOGIN)]
    wanted = rules.fold(_text(claimed))
    if not wanted:
        return names[0] if len(names) == 1 else None
    return wanted if wanted in names else None


def _text(login: bytes) -> str:
    return login.decode("utf-8", "replace")


# --- all at once ----------------------------------------------------------------------------------


def complete(begun: Proof | Pending) -> Proof:
    """Do the rest here and now. For callers that have no event loop to keep free."""
    return begun if isinstance(begun, Proof) else begun.finish(begun.work())
