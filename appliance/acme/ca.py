"""A conversation with a CA: signed requests out, documents or a ``Failure`` back.

The only module that talks HTTP to a CA. It holds nothing between two conversations and never
waits; nonces that the CA refuses are replaced, within limits (RFC 8555 §6.5).
"""

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from types import TracebackType
from typing import Any, Final, Self

import requests
from acme import challenges, client, errors, jws, messages
from cryptography import x509
from josepy.errors import Error as JoseError
from josepy.interfaces import JSONDeSerializable
from josepy.json_util import field
from josepy.jwa import ES256, RS256, JWASignature
from josepy.jwk import JWK, JWKEC
from requests.utils import parse_header_links

from appliance.acme import problems
from appliance.acme.problems import Problem
from proxycore.contract.secret import Secret

USER_AGENT: Final = "postroad"
TIMEOUT_S: Final = 20
_NONCES: Final = 10
"""Fresh nonces tried for one request: a CA that refuses half of them is still got through."""


class Failure(Exception):
    """A request that came to nothing."""

    def __init__(self, problem: Problem, at: datetime | None = None) -> None:
        super().__init__(problem.words)
        self.problem = problem
        self.at = at
        """When the CA wants to be asked again; None: it did not say."""


class Conflict(Exception):
    """HTTP 409: for newOrder, what is to be replaced has been (RFC 9773 §5)."""


class _NewOrder(messages.NewOrder):
    """An order that says which certificate it replaces (RFC 9773 §5)."""

    replaces: str = field("replaces", omitempty=True, default="")


class _Document(JSONDeSerializable):
    """A payload that the library has no class for."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document

    def to_partial_json(self) -> dict[str, Any]:
        """Give it as it is."""
        return dict(self._document)

    @classmethod
    def from_json(cls, jobj: Any) -> Self:
        """Take it as it is."""
        return cls(jobj)

    def __bool__(self) -> bool:
        # the library signs an empty text instead of {} for what is false
        return True


class _Network(client.ClientNetwork):
    """The library's, patient with nonces, and remembering the last response."""

    last: requests.Response | None = None

    def _send_request(self, method: str, url: str, *args: Any, **options: Any) -> requests.Response:
        self.last = None
        self.last = super()._send_request(method, url, *args, **options)
        return self.last

    def post(self, *args: Any, **options: Any) -> requests.Response:
        """Post, with another nonce when one is refused."""
        for _ in range(_NONCES - 1):
            try:
                return self._post_once(*args, **options)
            except messages.Error as error:
                if error.code != "badNonce":
                    raise
        return self._post_once(*args, **options)


class Ca:
    """One conversation, as a context manager.

    url: the directory's. key: the account's, as PEM text. account_url: empty before there is one.
    """

    def __init__(
        self, url: str, key: Secret, account_url: str = "", *, bundle: str = "", now: datetime
    ) -> None:
        self._url, self._now = url, now
        self.key = load_key(key)
        self._net = _Network(
            self.key, alg=_algorithm(self.key), user_agent=USER_AGENT, timeout=TIMEOUT_S
        )
        if account_url:
            self._speak_as(account_url)
        self._bundle = tempfile.NamedTemporaryFile("w", suffix=".pem") if bundle.strip() else None  # noqa: SIM115  (closed with the conversation)
        if self._bundle is not None:
            self._bundle.write(bundle)
            self._bundle.flush()
            self._net.verify_ssl = self._bundle.name  # type: ignore[assignment]
        self._directory: messages.Directory | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._net.session.close()
        if self._bundle is not None:
            self._bundle.close()

    # --- what a CA offers -------------------------------------------------------------------------

    @property
    def directory(self) -> messages.Directory:
        """Give the CA's addresses. Raises Failure."""
        if self._directory is None:
            with self._failing():
                self._directory = client.ClientV2.get_directory(self._url, self._net)
                self._directory["newNonce"]
        return self._directory

    @property
    def terms_url(self) -> str:
        """Give where the terms of service are; empty when there are none. Raises Failure."""
        return str(self.directory["meta"].terms_of_service or "")

    @property
    def wants_binding(self) -> bool:
        """Tell whether an account of another kind has to be named. Raises Failure."""
        return bool(self.directory["meta"].external_account_required)

    def _has(self, resource: str) -> bool:
        return resource in self.directory.to_partial_json()

    @property
    def suggests_renewal(self) -> bool:
        """Tell whether the CA says when to renew (RFC 9773). Raises Failure."""
        return self._has("renewalInfo")

    # --- accounts ---------------------------------------------------------------------------------

    def register(self, contact: Sequence[str], eab: tuple[str, Secret] | None = None) -> str:
        """Make the account, or find it by its key, and give its URL. Raises Failure."""
        given: dict[str, Any] = {"terms_of_service_agreed": True}
        if contact:
            given["contact"] = tuple(f"mailto:{one}" for one in contact)
        if eab is not None:
            with self._failing("externalAccountRequired"):
                given["external_account_binding"] = messages.ExternalAccountBinding.from_data(
                    self.key.public_key(), eab[0], eab[1].reveal(), self.directory
                )
        return self._account(messages.NewRegistration(**given))

    def find_account(self) -> str:
        """Give the URL of the account that has this key. Raises Failure when there is none."""
        return self._account(messages.NewRegistration(only_return_existing=True))

    def _account(self, payload: messages.NewRegistration) -> str:
        # signed with the key itself, whoever it belongs to (RFC 8555 §6.2)
        self._net.account = None
        response = self._post(self.directory["newAccount"], payload)
        url = response.headers.get("Location", "")
        if not url:
            raise Failure(problems.ours("notAcme", "newAccount was answered without an address"))
        self._speak_as(url)
        return str(url)

    def update_contact(self, contact: Sequence[str]) -> None:
        """Tell the CA other addresses, and that its terms are agreed to. Raises Failure."""
        assert self._net.account is not None
        document = {
            "contact": [f"mailto:{one}" for one in contact],
            "termsOfServiceAgreed": True,
        }
        self._post(self._net.account["uri"], _Document(document))

    def change_key(self, account_url: str, new: Secret) -> None:
        """Give the account another key (RFC 8555 §7.3.5). Raises Failure."""
        url = self.directory["keyChange"]
        other = load_key(new)
        payload = {"account": account_url, "oldKey": self.key.public_key().to_partial_json()}
        inner = jws.JWS.sign(
            json.dumps(payload).encode(), key=other, alg=_algorithm(other), nonce=None, url=url
        )
        self._post(url, _Document(inner.to_partial_json()))

    # --- orders -----------------------------------------------------------------------------------

    def new_order(
        self, names: Sequence[messages.Identifier], profile: str, replaces: str
    ) -> tuple[str, messages.Order]:
        """Order, and give the order's URL with it. Raises Failure, Conflict."""
        payload = _NewOrder(
            identifiers=list(names), profile=profile or None, replaces=replaces or ""
        )
        response = self._post(self.directory["newOrder"], payload)
        return str(response.headers.get("Location", "")), self._order(response)

    def order(self, url: str) -> messages.Order:
        """Read an order. Raises Failure."""
        return self._order(self._post(url, None))

    def authorization(self, url: str) -> messages.Authorization:
        """Read an authorization. Raises Failure."""
        response = self._post(url, None)
        with self._failing():
            found: messages.Authorization = messages.Authorization.from_json(response.json())
            return found

    def answer(self, url: str) -> None:
        """Ask the CA to look at a challenge. Raises Failure."""
        self._post(url, _Document({}))

    def finalize(self, url: str, csr: x509.CertificateSigningRequest) -> messages.Order:
        """Ask for the certificate. Raises Failure."""
        return self._order(self._post(url, messages.CertificateRequest(csr=csr)))

    def certificate(self, url: str) -> tuple[str, list[str]]:
        """Give a chain as PEM text, and where there are others. Raises Failure."""
        response = self._post(url, None)
        links = parse_header_links(response.headers.get("Link", ""))
        return response.text, [one["url"] for one in links if one.get("rel") == "alternate"]

    def revoke(self, certificate: x509.Certificate, reason: int) -> None:
        """Have a certificate declared invalid. Raises Failure."""
        payload = messages.Revocation(certificate=certificate, reason=reason)
        self._post(self.directory["revokeCert"], payload)

    def renewal_info(self, identifier: str) -> Any:
        """Give the CA's document on the renewal of a certificate (RFC 9773 §4). Raises Failure."""
        base = str(self.directory["renewalInfo"]).rstrip("/")
        with self._failing():
            return self._net.get(f"{base}/{identifier}").json()

    # --- how --------------------------------------------------------------------------------------

    @property
    def retry_at(self) -> datetime | None:
        """Say when the last response wants to be asked for again; None: it does not say."""
        return problems.retry_after(self._header("Retry-After"), self._now)

    def _header(self, name: str) -> str | None:
        last = self._net.last
        return None if last is None else last.headers.get(name)

    def _speak_as(self, account_url: str) -> None:
        self._net.account = messages.RegistrationResource(
            uri=account_url, body=messages.Registration()
        )

    def _post(self, url: str, payload: Any) -> requests.Response:
        nonces = self.directory["newNonce"]
        with self._failing():
            return self._net.post(url, payload, new_nonce_url=nonces)

    def _order(self, response: requests.Response) -> messages.Order:
        with self._failing():
            found: messages.Order = messages.Order.from_json(response.json())
            return found

    @contextmanager
    def _failing(self, kind: str = "notAcme") -> Iterator[None]:
        """Say in one way what can go wrong in many.

        kind: of our problems, for what nobody else has a word for.
        """
        try:
            yield
        except (messages.Error, errors.ConflictError) as error:
            if isinstance(error, errors.ConflictError):
                raise Conflict from None
            raise Failure(self._said(), self.retry_at) from None
        except requests.exceptions.SSLError as error:
            raise Failure(problems.ours("certificateOfCa", _reason(error))) from None
        except requests.exceptions.RequestException as error:
            raise Failure(problems.ours("network", _reason(error))) from None
        except (errors.Error, JoseError, ValueError, KeyError, TypeError) as error:
            raise Failure(self._nonsense(kind, error), self.retry_at) from None

    def _said(self) -> Problem:
        last = self._net.last
        assert last is not None
        links = parse_header_links(last.headers.get("Link", ""))
        wanted = ("terms-of-service", "help")
        link = next((one["url"] for one in links if one.get("rel") in wanted), "")
        return problems.from_document(last.json(), last.status_code, link)

    def _nonsense(self, kind: str, error: Exception) -> Problem:
        last = self._net.last
        if last is not None and last.status_code in (429, 503):
            limited = "rateLimited" if last.status_code == 429 else "serverInternal"
            return problems.ours(limited, f"HTTP {last.status_code} {last.reason}")
        if last is not None and not last.ok:
            return problems.ours(kind, f"HTTP {last.status_code} {last.reason} from {last.url}")
        return problems.ours(kind, f"{type(error).__name__}: {error}"[:500])


def _reason(error: Exception) -> str:
    """Give what is at the bottom of an exception of requests, without its wrappings."""
    inner: Any = error
    while True:
        below = getattr(inner, "reason", None) or next(
            (one for one in inner.args if isinstance(one, Exception)), None
        )
        if not isinstance(below, Exception):
            return f"{inner}"[:500]
        inner = below


def load_key(key: Secret) -> JWK:
    """Read an account's key."""
    return JWK.load(key.reveal().encode())


def _algorithm(key: JWK) -> JWASignature:
    return ES256 if isinstance(key, JWKEC) else RS256


def chosen(authorization: messages.Authorization, kind: str) -> messages.ChallengeBody | None:
    """Give an authorization's challenge of a kind; None when the CA does not offer it."""
    return next((one for one in authorization.challenges if one.chall.typ == kind), None)


def expected(challenge: messages.ChallengeBody, key: JWK) -> tuple[str, str]:
    """Give a challenge's token and its key authorization (RFC 8555 §8.1)."""
    body: challenges.KeyAuthorizationChallenge = challenge.chall
    return body.encode("token"), body.key_authorization(key)
