"""The steps of an order: each talks to the CA or the DNS once and says what came of it.

A step may be repeated: a worker may have died between the CA's answer and our storing it. So each
first reads how things stand at the CA, and does only what is still to be done. Nothing here
writes to the database but ``prepare``, which says beforehand what it is going to leave in the DNS.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

from acme import messages
from cryptography import x509

from appliance.acme import answers, csr, problems, solvers
from appliance.acme.ca import Ca, Conflict, Failure, chosen, expected
from appliance.acme.choices import ChallengeType, Keys, OrderState
from appliance.acme.flow import Outcome
from appliance.acme.models import Challenge, Order
from appliance.acme.problems import Problem
from appliance.certs import reading
from appliance.lib.x509 import read_certificates, shown
from proxycore.contract.secret import Secret

S = OrderState

_POLL: Final = timedelta(seconds=3)
"""Until the CA is asked again when it does not say."""
_HTTP_SETTLE: Final = timedelta(seconds=2)
"""Until every node has what it is to answer: a heartbeat takes a second."""
_LOOK_AGAIN: Final = timedelta(seconds=5)
"""Until the name servers of a zone are asked again for a record."""
_PATIENCE: Final = timedelta(minutes=10)
_TIDY_TRIES: Final = 5

Step = Callable[[Ca, Order, datetime], Outcome]


def create(ca: Ca, order: Order, now: datetime) -> Outcome:
    """Order. When the answer is lost another order is made; the CA forgets the lost one."""
    names = csr.identifiers(order.names)
    profile = order.variant.issuance.profile
    replaces = order.replaces if ca.suggests_renewal else ""
    try:
        url, body = ca.new_order(names, profile, replaces)
    except Conflict:
        # somebody has replaced it already: that is no reason not to renew
        url, body = ca.new_order(names, profile, "")
    if not url:
        raise Failure(problems.ours("notAcme", "newOrder was answered without an address"))
    changes = {"url": url, "finalize_url": body.finalize, "expires_at": body.expires}
    return Outcome(S.ORDERED, changes=changes)


def take_challenges(ca: Ca, order: Order, now: datetime) -> Outcome:
    """Read what the CA wants to be shown, and make the key."""
    body = ca.order(order.url)
    if body.status == messages.STATUS_INVALID:
        return _refused(ca, body, now)
    found = []
    for url in body.authorizations:
        authorization = ca.authorization(url)
        name = authorization.identifier.value
        row = {"name": name, "authorization_url": url}
        if authorization.status == messages.STATUS_VALID:
            found.append({**row, "is_valid": True})
            continue
        challenge = chosen(authorization, order.challenge)
        if challenge is None:
            offered = ", ".join(one.chall.typ for one in authorization.challenges)
            words = f"{name}: the CA offers {offered or 'nothing'}"
            return Outcome(S.FAILING, problem=problems.ours("challenge", words))
        token, answer = expected(challenge, ca.key)
        found.append({**row, "url": challenge.uri, "token": token, "key_authorization": answer})
    return Outcome(S.CHALLENGED, changes={"private_key": _key(order)}, challenges=found)


def _key(order: Order) -> Secret:
    variant = order.variant
    if variant.issuance.reuse_key and variant.fingerprint and not order.fresh_key:
        certificate = variant.certificate
        if certificate is not None and certificate.fingerprint == variant.fingerprint:
            return Secret(certificate.private_key.reveal())
    return csr.new_key(Keys(variant.keys))


def prepare(ca: Ca, order: Order, now: datetime) -> Outcome:
    """Put the answers where the CA looks."""
    waiting = order.challenges.filter(is_valid=False)
    # before it is so: what was begun has to be taken away again, whoever dies
    waiting.update(is_present=True)
    if order.challenge == ChallengeType.HTTP_01:
        answers.changed()
        settle = _HTTP_SETTLE if answers.has_listeners() and waiting else timedelta()
        return Outcome(S.PREPARED, at=now + settle)
    settings = order.variant.issuance.solver
    if settings is None:
        problem = problems.ours("solver", "No DNS solver is chosen.")
        return Outcome(S.FAILING, problem=problem)
    solver = solvers.build(settings)
    try:
        for one in waiting:
            solver.present(*record(one))
    except solvers.SolverError as fault:
        raise Failure(problems.ours("solver", str(fault))) from None
    settle = timedelta(seconds=settings.settle_s) if waiting else timedelta()
    return Outcome(S.PREPARED, at=now + settle)


def record(challenge: Challenge) -> tuple[str, str]:
    """Give the TXT record for DNS-01 (RFC 8555 §8.4): its name and its value."""
    return f"_acme-challenge.{challenge.name}", answers.digest(challenge.key_authorization)


def _behind(order: Order, now: datetime) -> str:
    """Name a DNS server that has not got a record yet; blank: the CA may look.

    Whoever cannot be asked from here is not waited for longer than a while: the CA may see more.
    """
    settings = order.variant.issuance.solver
    begun = order.steps.filter(state=S.PREPARED).first()
    if settings is None or (begun is not None and now - begun.at > _PATIENCE):
        return ""
    solver = solvers.build(settings)
    try:
        missing = (solver.missing(*record(one)) for one in order.challenges.filter(is_valid=False))
        return next(filter(None, missing), "")
    except solvers.SolverError:
        return ""


def answer(ca: Ca, order: Order, now: datetime) -> Outcome:
    """Ask the CA to look at what it has not looked at yet."""
    behind = _behind(order, now) if order.challenge == ChallengeType.DNS_01 else ""
    if behind:
        words = f"{behind} has not got the TXT record yet"
        return Outcome(S.PREPARED, words, at=now + _LOOK_AGAIN)
    for one in order.challenges.filter(is_valid=False):
        authorization = ca.authorization(one.authorization_url)
        problem = _problem_of(authorization)
        if problem is not None:
            return Outcome(S.FAILING, problem=problem)
        challenge = chosen(authorization, order.challenge)
        if challenge is not None and challenge.status == messages.STATUS_PENDING:
            ca.answer(challenge.uri)
    return Outcome(S.ANSWERED, at=now + timedelta(seconds=1))


def await_proof(ca: Ca, order: Order, now: datetime) -> Outcome:
    """See whether the CA has found every proof."""
    body = ca.order(order.url)
    at = ca.retry_at
    if body.status == messages.STATUS_INVALID:
        return _refused(ca, body, now)
    if body.status == messages.STATUS_PENDING:
        return Outcome(S.ANSWERED, at=at or now + _POLL)
    return Outcome(S.READY)


def finalize(ca: Ca, order: Order, now: datetime) -> Outcome:
    """Ask for the certificate, unless that has been done."""
    body = ca.order(order.url)
    if body.status == messages.STATUS_READY:
        ca.finalize(order.finalize_url, csr.request(order.names, order.private_key))
        return Outcome(S.FINALIZED, at=ca.retry_at or now)
    if body.status == messages.STATUS_INVALID:
        return _refused(ca, body, now)
    if body.status == messages.STATUS_PENDING:
        return Outcome(S.READY, at=ca.retry_at or now + _POLL)
    return Outcome(S.FINALIZED)


def await_certificate(ca: Ca, order: Order, now: datetime) -> Outcome:
    """See whether the certificate is there."""
    body = ca.order(order.url)
    at = ca.retry_at
    if body.status == messages.STATUS_VALID and body.certificate:
        return Outcome(S.ISSUED, changes={"certificate_url": body.certificate})
    if body.status == messages.STATUS_INVALID:
        return _refused(ca, body, now)
    if body.status == messages.STATUS_READY:
        ca.finalize(order.finalize_url, csr.request(order.names, order.private_key))
        at = ca.retry_at
    return Outcome(S.FINALIZED, at=at or now + _POLL)


def download(ca: Ca, order: Order, now: datetime) -> Outcome:
    """Fetch the certificate, by the chain that is wanted."""
    pem, others = ca.certificate(order.certificate_url)
    wanted, words = order.variant.issuance.preferred_chain, ""
    if wanted and wanted not in root_of(pem):
        chains = [ca.certificate(url)[0] for url in others]
        found = next((one for one in chains if wanted in root_of(one)), None)
        roots = dict.fromkeys(root_of(one) for one in [pem, *chains])
        words = "" if found else f"No chain leads to {wanted}, only to: {', '.join(roots)}."
        pem = found or pem
    try:
        key = order.private_key.reveal().encode()
        material = reading.from_pem(pem.encode(), key, None, now)
    except reading.Refused as fault:
        return Outcome(S.FAILING, problem=problems.ours("refused", str(fault)))
    return Outcome(S.STORED, words, material=material)


def root_of(pem: str) -> str:
    """Name who stands above a chain."""
    try:
        found = read_certificates(pem.encode())
    except ValueError:
        return ""
    issuer: x509.Name | None = found[-1].issuer if found else None
    return "" if issuer is None else shown(issuer)


def tidy(order: Order) -> Outcome:
    """Take the answers away again; what cannot be removed is named and left."""
    after = S.DONE if order.state == S.STORED else S.FAILED
    words = ""
    present = order.challenges.filter(is_present=True)
    settings = order.variant.issuance.solver
    if order.challenge == ChallengeType.DNS_01 and settings is not None:
        solver = solvers.build(settings)
        try:
            for one in present:
                solver.cleanup(*record(one))
        except solvers.SolverError as fault:
            if order.attempts + 1 < _TIDY_TRIES:
                raise Failure(problems.ours("solver", str(fault))) from None
            words = f"A TXT record was left: {fault}"
    return Outcome(after, words)


def _refused(ca: Ca, body: messages.Order, now: datetime) -> Outcome:
    """Find out why an order is invalid: its own error, or that of a name."""
    if body.error is not None:
        problem = problems.from_document(body.error.to_json())
        return Outcome(S.FAILING, problem=problem)
    if body.expires is not None and body.expires <= now:
        return Outcome(S.FAILING, problem=problems.ours("expired", f"expired {body.expires}"))
    for url in body.authorizations or ():
        problem_of_name = _problem_of(ca.authorization(url))
        if problem_of_name is not None:
            return Outcome(S.FAILING, problem=problem_of_name)
    words = "The CA declared the order invalid and gave no reason."
    return Outcome(S.FAILING, problem=problems.ours("expired", words))


def _problem_of(authorization: messages.Authorization) -> Problem | None:
    """Say why a name was not believed; None when it still may be."""
    if authorization.status in (messages.STATUS_PENDING, messages.STATUS_VALID):
        return None
    name = authorization.identifier.value
    for challenge in authorization.challenges:
        if challenge.error is not None:
            document = dict(challenge.error.to_json())
            said = document.get("detail") or document.get("title") or ""
            return problems.from_document({**document, "detail": f"{name}: {said}"})
    status = authorization.status.name if authorization.status else "unknown"
    return problems.ours("expired", f"{name}: the authorization is {status}")


STEPS: Final[Mapping[OrderState, Step]] = {
    S.WANTED: create,
    S.ORDERED: take_challenges,
    S.CHALLENGED: prepare,
    S.PREPARED: answer,
    S.ANSWERED: await_proof,
    S.READY: finalize,
    S.FINALIZED: await_certificate,
    S.ISSUED: download,
}
"""What is done in each state, but for those in which we tidy up without the CA."""
