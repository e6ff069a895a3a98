"""The phases AUTHORISING, REFUSING and RETRYING: the auth service."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final

from proxycore.contract.authhttp import (
    DEFAULT_FAILURE,
    AuthFailed,
    AuthFault,
    AuthOk,
    AuthRequest,
    AuthThrottled,
    AuthWait,
    Verdict,
    breaks_line,
    clean_text,
)
from proxycore.contract.protocol import Protocol
from proxycore.contract.reasons import CloseReason
from proxycore.dialogue.back_smtp import is_nameable
from proxycore.dialogue.commands import AskAuth, Command, ConnectBack, Note, SetTimer
from proxycore.dialogue.credential import REPLAYED, TOKEN_MECHANISMS, Credential
from proxycore.dialogue.events import AuthAnswered
from proxycore.dialogue.logging_in import LoggingIn
from proxycore.dialogue.shown import shown
from proxycore.dialogue.spine import CANCEL_TIMER, NOTHING
from proxycore.dialogue.states import State
from proxycore.dialogue.steps import Submission

MAX_WAIT_S: Final = 300
"""Longest a submission waits for an auth service that keeps saying WAIT. A client gives a reply
five minutes (RFC 5321 §4.5.3.2); nginx waits for ever."""

_MIN_WAIT_S: Final = 1

# a member looked up by way of its class costs a tenth of a microsecond, and a login needs many
_AUTHORISING: Final = State.AUTHORISING
_CONNECTING: Final = State.CONNECTING
_SMTP: Final = Protocol.SMTP

_PROXY_SSL: Final = {"off": "none", "on": "implicit", "starttls": "starttls"}
"""Auth-Proxy-SSL in the words of ``proxy_ssl``."""

_UNSENDABLE_ANSWER: Final = AuthFault(
    CloseReason.AUTH_INVALID, "sent a login or password with a line break"
)
_TOO_LONG: Final = b"Login is too long"
_NO_PASSWORD: Final = AuthFault(CloseReason.AUTH_INVALID, "did not send password")


class Authorising(LoggingIn):
    """What happens between a submission and its verdict, and because of that."""

    __slots__ = ()

    def _submit(self, step: Submission, commands: list[Command]) -> None:
        login, password = step.login, step.password
        if breaks_line(login + password):
            # It could end a line of a header or of a backend command. No account has such a
            # name or password, so the client hears what the auth service would have it hear.
            commands.extend(self._fail(AuthFailed(text=DEFAULT_FAILURE)))
            return
        profile, facts = self._profile, self._facts
        self.login = login
        self._attempts += 1
        self._waited_s = 0
        self._request = request = AuthRequest(
            profile.protocol,
            step.method,
            login,
            password,
            self._attempts,
            facts.client_ip,
            facts.client_host if profile.sends_client_host else "",
            facts.client_port,
            facts.local_port,
        )
        if step.method != "plain":
            request.salt = step.salt
            if step.envelope is not None:
                request.smtp_helo = step.envelope.helo
                request.smtp_from = step.envelope.mail
                request.smtp_to = step.envelope.rcpt
        request.proxy = facts.proxy
        request.tls = facts.tls
        if profile.sends_local_ip:
            request.server_ip = facts.local_ip
        if profile.sends_session:
            request.session = facts.session
        self._enter(_AUTHORISING)
        self._update_wants_front()
        commands.append(CANCEL_TIMER)
        commands.append(AskAuth(request))

    def on_auth_answered(self, event: AuthAnswered) -> Sequence[Command]:
        """Take the verdict."""
        if self.state is not _AUTHORISING:
            return NOTHING
        verdict = event.verdict
        return _VERDICTS[type(verdict)](self, verdict)

    # --- let in ---------------------------------------------------------------------------------

    def _connect(self, verdict: AuthOk) -> Sequence[Command]:
        request = self._request
        assert request is not None
        fault = _find_fault(verdict)
        if fault is not None:
            return self._fault(fault)
        if verdict.login is not None:
            self.login = verdict.login
        self.auth_session = verdict.session
        password, mechanism = verdict.password, b""
        if password is None and (replayed := REPLAYED.get(request.method)) is not None:
            password, mechanism = request.password, replayed
        is_smtp = self._profile.protocol is _SMTP
        authenticates = is_smtp and self._authenticates(verdict, request.method)
        if password is None:
            if not is_smtp:
                return self._fault(_NO_PASSWORD)
            if authenticates:
                note = Note("error", "no password available")
                reply = self._profile.internal_error
                return self._close(CloseReason.NO_PASSWORD, reply, note)
            password = b""
        if is_smtp and self._profile.xclient and not authenticates and not is_nameable(self.login):
            return self._turn_down(verdict)
        self._credential = Credential(
            self.login, password, mechanism, verdict.master, authenticates
        )
        self._request = None
        asked = verdict.proxy_ssl
        mode = self._profile.proxy_ssl if asked is None else _PROXY_SSL[asked]
        self._starts_tls = mode == "starttls"
        self._enter(_CONNECTING)
        connect = _connect_to(verdict.server, verdict.port, mode, verdict.proxy_ssl_name)
        return (self._profile.connect_timer, connect)

    def _turn_down(self, verdict: AuthOk) -> Sequence[Command]:
        """Refuse a login that XCLIENT cannot name: it must not be let in as nobody."""
        note = Note("error", "login is too long for XCLIENT, nobody is asked to let it in")
        return (note, *self._fail(AuthFailed(text=_TOO_LONG, session=verdict.session)))

    def _authenticates(self, verdict: AuthOk, method: str) -> bool:
        """Tell whether an SMTP server is to see the credential."""
        if verdict.proxy_auth is not None:
            return verdict.proxy_auth
        return self._profile.proxy_smtp_auth and method != "none"

    # --- not let in -----------------------------------------------------------------------------

    def _rename(self, login: bytes | None) -> None:
        if login is not None and not breaks_line(login):
            self.login = login

    def _fail(self, verdict: AuthFailed) -> Sequence[Command]:
        self._rename(verdict.login)
        self.auth_session = verdict.session
        request, self._request = self._request, None
        text = clean_text(verdict.text)
        note = Note("info", f'client login failed: "{shown(text)}"')
        reply = self._front.refuse(text, verdict.error_code)
        ends = verdict.wait_s <= 0
        if verdict.error_sasl and request is not None and request.method in TOKEN_MECHANISMS:
            self._refusal = self._front.explain(verdict.error_sasl, reply, ends=ends)
            if ends:
                return (note, *self._start_over())
        elif ends:
            return self._close(CloseReason.LOGIN_FAILED, reply, note)
        else:
            self._refusal = reply
        self._enter(State.REFUSING)
        return (note, SetTimer(verdict.wait_s * 1000))

    def _start_over(self) -> Sequence[Command]:
        """Give the refusal that was held back, then hear what the client said meanwhile."""
        raise NotImplementedError

    def _ask_later(self, verdict: AuthWait) -> Sequence[Command]:
        self._rename(verdict.login)
        wait_s = max(_MIN_WAIT_S, verdict.wait_s)
        self._waited_s += wait_s
        if self._waited_s > MAX_WAIT_S:
            return self._fault(
                AuthFault(CloseReason.AUTH_UNAVAILABLE, f"asked to wait over {MAX_WAIT_S} s")
            )
        self._enter(State.RETRYING)
        return (SetTimer(wait_s * 1000),)

    def _put_off(self, verdict: AuthThrottled) -> Sequence[Command]:
        # told apart from a refusal: a client that hears it was wrong asks its user for a password
        note = Note("warn", f"login put off, {verdict.limit} is reached")
        return self._close(CloseReason.TOO_MANY_LOGINS, self._front.put_off(), note)

    def _fault(self, verdict: AuthFault) -> Sequence[Command]:
        service = verdict.service or self._profile.auth_service
        message = f"auth http server {service} {verdict.detail}"
        return self._close(verdict.reason, self._profile.internal_error, Note("error", message))

    def ask_again(self) -> Sequence[Command]:
        """Ask about the same submission once more."""
        request = self._request
        assert request is not None
        if request.login != self.login:
            request = self._request = replace(request, login=self.login)
        self._enter(_AUTHORISING)
        return (AskAuth(request),)

    # the methods are above


_VERDICTS: Final[dict[type[Verdict], Callable[[Any, Any], Sequence[Command]]]] = {
    AuthOk: Authorising._connect,
    AuthFailed: Authorising._fail,
    AuthWait: Authorising._ask_later,
    AuthFault: Authorising._fault,
    AuthThrottled: Authorising._put_off,
}


@lru_cache(maxsize=256)
def _connect_to(server: str, port: int, mode: str, ssl_name: str) -> ConnectBack:
    # mail servers are few, and nobody changes a command
    return ConnectBack(server, port, mode, ssl_name)


def _find_fault(verdict: AuthOk) -> AuthFault | None:
    # what the client submitted was looked at when it did
    login, password, master = verdict.login, verdict.password, verdict.master
    if (
        (login and breaks_line(login))
        or (password and breaks_line(password))
        or (master and breaks_line(master))
    ):
        return _UNSENDABLE_ANSWER
    if verdict.proxy_ssl is not None and verdict.proxy_ssl not in _PROXY_SSL:
        # never in clear instead
        detail = f"asked for unknown TLS to the mail server ({verdict.proxy_ssl})"
        return AuthFault(CloseReason.AUTH_INVALID, detail)
    return None
