"""POST a message to an address that an operator configured.

Any host may be named, private ones too: monitoring is often inside. Refused are link-local
addresses, where clouds keep their credentials, and what is no unicast address. Redirects are not
followed, and of an answer nothing but its status is read or shown: who may write a recipient gets
no view of what stands at an address.
"""

import contextlib
import hashlib
import hmac
import ipaddress
import json
import socket
import ssl
from typing import Final
from urllib.parse import urlsplit

import requests
from django.utils import timezone
from requests.auth import AuthBase

from appliance.alerts import message
from appliance.alerts.models import Delivery
from proxycore import __version__
from proxycore.contract.secret import Secret

TIMEOUT_S: Final = (5.0, 15.0)
"""For connecting, and for the answer."""
SIGNATURE_HEADER: Final = "X-Postroad-Signature"
TIMESTAMP_HEADER: Final = "X-Postroad-Timestamp"


class Refused(Exception):
    """It was not taken; says why, without the URL."""


class _NoAuth(AuthBase):
    """Keeps requests from looking into ~/.netrc."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


def check_url(url: str) -> str:
    """Give the host of a URL a webhook may have. Raises Refused."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise Refused("This is no URL.") from None
    if parts.scheme not in ("http", "https") or not host or port == 0:
        raise Refused("Give a URL that begins with https:// or http://.")
    if parts.username or parts.password:
        raise Refused("No user and password in the URL: use the secret, which signs.")
    # a name is looked up when it is used
    with contextlib.suppress(ValueError):
        _check_address(host)
    return f"{host}:{port}" if port else host


def post(delivery: Delivery) -> None:
    """Send one. Raises Refused, vault.Undecryptable."""
    recipient = delivery.recipient
    url: str = recipient.webhook_url.reveal()
    check_url(url)
    _check_addresses(url)
    content = json.dumps(message.document(delivery)).encode()
    headers = {
        "Content-Type": "application/json",
        "User-Agent": f"Postroad/{__version__}",
        **signature(recipient.webhook_secret, content, int(timezone.now().timestamp())),
    }
    try:
        with requests.post(
            url,
            content,
            headers=headers,
            timeout=TIMEOUT_S,
            allow_redirects=False,
            auth=_NoAuth(),
            stream=True,
        ) as answer:
            status = answer.status_code
    except requests.Timeout:
        raise Refused(f"{recipient.webhook_host} does not answer in time.") from None
    except requests.RequestException as fault:
        # its own words hold the URL
        raise Refused(f"{recipient.webhook_host}: {_reason(fault)}.") from None
    if 300 <= status < 400:
        raise Refused(f"{recipient.webhook_host} redirects ({status}), which is not followed.")
    if not 200 <= status < 300:
        raise Refused(f"{recipient.webhook_host} answers {status}.")


def signature(secret: Secret, content: bytes, at: int) -> dict[str, str]:
    """Give the headers that prove who sent a request; none without a secret.

    Signed is the timestamp, a dot and the body, so that a request of yesterday is not one of today.
    """
    headers = {TIMESTAMP_HEADER: str(at)}
    if secret:
        signed = f"{at}.".encode() + content
        digest = hmac.new(secret.reveal().encode(), signed, hashlib.sha256).hexdigest()
        headers[SIGNATURE_HEADER] = f"sha256={digest}"
    return headers


def _check_addresses(url: str) -> None:
    """Refuse a name that leads where no webhook may."""
    parts = urlsplit(url)
    try:
        found = socket.getaddrinfo(parts.hostname, parts.port or 443, type=socket.SOCK_STREAM)
    except OSError as fault:
        raise Refused(f"{parts.hostname} cannot be looked up: {fault.strerror}.") from None
    for _, _, _, _, address in found:
        _check_address(str(address[0]))


def _check_address(text: str) -> None:
    """Refuse what is no place for a webhook. Raises Refused; ValueError for a name."""
    address = ipaddress.ip_address(text.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None) or address
    if mapped.is_link_local or mapped.is_multicast or mapped.is_unspecified:
        raise Refused(f"{text} is no address for a webhook.")


def _reason(fault: BaseException) -> str:
    """Find in a chain of exceptions what the system said."""
    seen: BaseException | None = fault
    while seen is not None:
        if isinstance(seen, ssl.SSLCertVerificationError):
            return f"its certificate: {seen.verify_message}"
        if isinstance(seen, OSError) and seen.strerror:
            return seen.strerror
        inner = seen.args[0] if seen.args and isinstance(seen.args[0], BaseException) else None
        reason = getattr(inner, "reason", None) or getattr(seen, "reason", None)
        nested = reason if isinstance(reason, BaseException) else inner
        seen = nested or seen.__cause__ or seen.__context__
    return "no connection"
