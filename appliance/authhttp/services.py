"""Decide about one login: routing says where, credentials say whether.

All refusals read the same and take the same time (credentials.verify).
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from appliance.authhttp.callers import NODE, Caller
from appliance.authhttp.models import CallerSecret
from appliance.credentials import verify
from appliance.credentials.certificates import ClientCertificate
from appliance.credentials.verifiers import Answer
from appliance.routing.choices import MatchKind
from appliance.routing.decide import Decision, DecisionInput, Hold, decide
from appliance.routing.models import MailHost
from proxycore.contract.authhttp import DEFAULT_FAILURE, AuthFailed, AuthOk, AuthRequest, AuthWait
from proxycore.contract.protocol import Protocol

MIN_SECRET_CHARS: Final = 16
"""A shorter header secret could be guessed over the network."""

RECIPIENT: Final = "none"
"""Auth-Method of SMTP without authentication: asked for each recipient."""

_TAKEN_HEADERS: Final = {
    *("host", "connection", "content-length", "content-type", "transfer-encoding", "upgrade"),
    *("client-ip", "client-host", "x-forwarded-for", "x-postroad-node-token", "cookie", "date"),
}
"""Headers that mean something to whoever is on the way."""

_NO_CERTIFICATE: Final = ClientCertificate(verified=False, subject="")

_TRY_LATER: Final = {
    Protocol.IMAP: (b"[UNAVAILABLE] Try again later", b""),
    Protocol.POP3: (b"[SYS/TEMP] Try again later", b""),
    Protocol.SMTP: (b"Temporary authentication failure", b"454 4.7.0"),
}
"""A failure that is not the client's: RFC 5530 §3, RFC 3206 §4, RFC 4954 §4.7."""

_UNKNOWN_RECIPIENT: Final = (b"Recipient is not served here", b"550 5.7.1")
_RECIPIENT: Final = re.compile(rb"RCPT +TO: *<(?:@[^:>]*:)?([^<>]*)>.*", re.IGNORECASE | re.DOTALL)

_HELD_WAIT_S: Final = 5
"""After so long a login that is kept waiting is decided anew."""

Verdict = AuthOk | AuthFailed | AuthWait


@dataclass(frozen=True, slots=True)
class Open:
    """A decision that still needs slow work (credentials.verify.Pending)."""

    pending: verify.Pending
    conclude: Callable[[verify.Proof], Verdict]


def begin(
    request: AuthRequest, caller: Caller, certificate: ClientCertificate = _NO_CERTIFICATE
) -> Verdict | Open:
    """Give the verdict on a login, or what is left to do for it."""
    if request.method == RECIPIENT:
        return _recipient(request)
    asked = request
    if request.method == verify.EXTERNAL and not request.login:
        login = verify.login_of(certificate, b"") or ""
        asked = replace(request, login=login.encode())
    decision = decide(DecisionInput(request.protocol, asked.login, request.client_ip))
    begun = verify.begin(asked, decision, certificate)

    def conclude(proof: verify.Proof) -> Verdict:
        if _nobody_looks(proof, request.protocol, caller):
            return refusal()
        return _verdict(request, asked, decision, proof)

    if isinstance(begun, verify.Pending):
        return Open(begun, conclude)
    if _nobody_looks(begun, request.protocol, caller):
        return refuse(request)
    return conclude(begun)


def _nobody_looks(proof: verify.Proof, protocol: Protocol, caller: Caller) -> bool:
    """Tell whether the client would be let in without anybody having looked at its password.

    IMAP and POP3 servers are always given it, SMTP servers only by who does as he is told.
    """
    is_left_to_smtp = proof.answer is Answer.UNSAID and protocol is Protocol.SMTP
    return is_left_to_smtp and not caller.obeys_proxy_auth


def answer(
    request: AuthRequest,
    caller: Caller = NODE,
    certificate: ClientCertificate = _NO_CERTIFICATE,
) -> Verdict:
    """Give the verdict on a login, however long it takes."""
    begun = begin(request, caller, certificate)
    if isinstance(begun, Open):
        return begun.conclude(verify.complete(begun.pending))
    return begun


def foresee(request: AuthRequest, decision: Decision, caller: Caller) -> Verdict:
    """Give the verdict that a right password would get, without looking at any."""
    account = decision.account
    is_looked_at = account is not None and bool(account.verifier_id or account.password_hash)
    proof = verify.Proof(Answer.RIGHT if is_looked_at else Answer.UNSAID)
    if _nobody_looks(proof, request.protocol, caller):
        return refusal()
    return _verdict(request, request, decision, proof)


def refuse(request: AuthRequest) -> Open:
    """Refuse what cannot be decided, as slowly as a wrong password."""
    return Open(verify.refusal(request), lambda _: refusal())


def _verdict(
    request: AuthRequest, asked: AuthRequest, decision: Decision, proof: verify.Proof
) -> Verdict:
    if proof.answer is Answer.WRONG or decision.host is None:
        return refusal()
    if proof.answer is Answer.AWAY or decision.hold is not None:
        return held(decision, request.protocol)
    login = asked.login if decision.back_login is None else decision.back_login
    if login is not request.login and not _fits_a_header(login):
        return refusal()
    found = _way(decision.host, request.protocol)
    if proof.answer is Answer.UNSAID and request.protocol is Protocol.SMTP:
        found.proxy_auth = True
    found.login = None if login is request.login else login
    found.password = None if proof.password is None else proof.password.reveal().encode()
    found.cache_ttl_s = _lifetime_s(proof, decision)
    return found


def _fits_a_header(login: bytes) -> bool:
    """Tell whether Auth-User, which is not escaped, brings the login to the proxy as it is."""
    return login == login.strip(b" \t") and not set(login) & set(b"\r\n\0")


def _lifetime_s(proof: verify.Proof, decision: Decision) -> int | None:
    """Give how long the verdict may be remembered, where something is known to end it.

    A route that begins or ends makes that shorter than configured, never longer. Nothing is said of
    one that does so later than a node would use the answer even with no auth service to ask.
    """
    times = [] if proof.expires_in_s is None else [proof.expires_in_s]
    if decision.changes_at is not None:
        left_s = int((decision.changes_at - timezone.now()).total_seconds())
        if left_s * 1000 < settings.AUTH_CACHE_TTL_MS + settings.AUTH_CACHE_STALE_MS:
            times.append(max(0, min(left_s, settings.AUTH_CACHE_TTL_MS // 1000)))
    return min(times, default=None)


def held(decision: Decision, protocol: Protocol) -> Verdict:
    """Answer for a login that is right, but has to wait."""
    if decision.hold is Hold.WAIT:
        return AuthWait(wait_s=_HELD_WAIT_S)
    return try_later(protocol)


def _way(host: MailHost, protocol: Protocol) -> AuthOk:
    """Say where a mail host is, and how it has to prove itself."""
    found = AuthOk(server=host.address, port=host.port(protocol))
    found.proxy_ssl = host.proxy_ssl(protocol)
    if found.proxy_ssl != "off":
        found.proxy_ssl_name = host.tls_name
    return found


def _recipient(request: AuthRequest) -> Verdict:
    """Take mail for recipients we know the way for, and only for them: we are no open relay.

    A recipient is known by an account or by a route that names him, his domain or a pattern. What
    holds for first letters or for everybody else says nothing of who is served.
    """
    found = _RECIPIENT.fullmatch(request.smtp_to)
    if found is not None and found[1]:
        decision = decide(DecisionInput(Protocol.SMTP, found[1], is_recipient=True))
        if decision.host is not None and _is_known(decision):
            if decision.hold is not None:
                return held(decision, Protocol.SMTP)
            return _way(decision.host, Protocol.SMTP)
    text, code = _UNKNOWN_RECIPIENT
    return AuthFailed(text=text, error_code=code, wait_s=settings.AUTH_WAIT_S)


def _is_known(decision: Decision) -> bool:
    named = (MatchKind.USER, MatchKind.DOMAIN, MatchKind.PREFIX, MatchKind.PATTERN)
    return decision.account is not None or (
        decision.route is not None and decision.route.match in named
    )


def refusal() -> AuthFailed:
    """Give the one refusal there is."""
    return AuthFailed(text=DEFAULT_FAILURE, wait_s=settings.AUTH_WAIT_S)


def try_later(protocol: Protocol) -> AuthFailed:
    """Give the failure for what cannot be said now, which lets a client keep its password."""
    text, code = _TRY_LATER[protocol]
    return AuthFailed(text=text, error_code=code, wait_s=settings.AUTH_WAIT_S)


# --- who may ask ----------------------------------------------------------------------------------


def save_caller_secret(caller: CallerSecret) -> CallerSecret:
    """Write a caller's secret. Raises ValidationError."""
    check_caller_secret(caller)
    caller.full_clean()
    caller.save()
    return caller


def check_caller_secret(caller: CallerSecret) -> None:
    """Refuse what cannot be sent, or be a secret. Raises ValidationError by field."""
    wrong = {"secret": _wrong_secret(caller), "header": ""}
    header = caller.header.lower()
    if header in _TAKEN_HEADERS or header.startswith("auth-"):
        wrong["header"] = "This header has a meaning of its own; use one like X-NGX-Auth-Key."
    found = {name: text for name, text in wrong.items() if text}
    if found:
        raise ValidationError(found)


def _wrong_secret(caller: CallerSecret) -> str:
    if not caller.secret:
        return ""
    text = caller.secret.reveal()
    if len(text) < MIN_SECRET_CHARS:
        return f"Give at least {MIN_SECRET_CHARS} characters."
    if not (text.isascii() and text.isprintable() and text == text.strip()):
        return "A header carries only ASCII letters, digits and signs, without blanks at its ends."
    return ""


@transaction.atomic
def delete_caller_secrets(callers: Iterable[CallerSecret]) -> None:
    """Delete secrets; who holds one is refused from the next request on."""
    for caller in list(callers):
        caller.delete()
