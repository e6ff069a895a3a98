"""TLS of a probe: the policy of a server block towards mail servers, as nodes keep to it.

OpenSSL by pyOpenSSL, because Python's own ``ssl`` knows neither pins nor depths nor, without a file
on disk, lists of revoked certificates. What nodes do is ``proxycore.net.tls.back``, which nothing
of the appliance may import; a test holds the two together. Commands given to OpenSSL
(``proxy_ssl_conf_command``) are not obeyed here: the library has no call for them.
"""

import base64
import hashlib
import ipaddress
import socket
import threading
from collections.abc import Callable
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL, crypto
from OpenSSL._util import ffi, lib

from appliance.lib.x509 import blocks, read_certificates, spki
from proxycore.contract.distrust import HINTS, NOT_PINNED, Shown, explained
from proxycore.contract.server_names import is_address
from proxycore.contract.tls import DATA, BackTls

_READ: Final = 16_384
_NO_PARTIAL_WILDCARDS: Final = 0x4
_WHEN: Final = "%b %e %H:%M:%S %Y GMT"
_OPTIONS: Final = {
    "SSLv3": SSL.OP_NO_SSLv3,
    "TLSv1": SSL.OP_NO_TLSv1,
    "TLSv1.1": SSL.OP_NO_TLSv1_1,
    "TLSv1.2": SSL.OP_NO_TLSv1_2,
    "TLSv1.3": SSL.OP_NO_TLSv1_3,
}


class Distrusted(OSError):
    """The mail server does not prove to be the one meant; the text says how."""


class NoTls(OSError):
    """The handshake failed otherwise."""


class Policy:
    """A policy made ready: for any number of connections, from any number of threads."""

    def __init__(self, back: BackTls) -> None:
        """Raises ValueError and SSL.Error for settings that cannot be used."""
        self._back = back
        self.doubt = ""
        """What was not looked at, though nodes do: it is in files that are theirs."""
        self._context = context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_min_proto_version(0)
        context.set_options(
            sum(bit for name, bit in _OPTIONS.items() if name not in back.proxy_ssl_protocols)
        )
        context.set_cipher_list(back.proxy_ssl_ciphers.encode())
        if back.proxy_ssl_certificate:
            self._show(back)
        self._is_verified = back.proxy_ssl_verify
        if back.proxy_ssl_verify:
            context.set_verify_depth(back.proxy_ssl_verify_depth)
            self._trust(back)

    def _show(self, back: BackTls) -> None:
        """Present our own certificate."""
        text = _content(back.proxy_ssl_certificate)
        key = _content(back.proxy_ssl_certificate_key.reveal())
        if text is None or key is None:
            self.doubt = "our own certificate is in a file of the nodes"
            return
        own, *chain = read_certificates(text)
        self._context.use_certificate(own)
        for one in chain:
            self._context.add_extra_chain_cert(one)
        self._context.use_privatekey(load_pem_private_key(key, None))  # type: ignore[arg-type]

    def _trust(self, back: BackTls) -> None:
        if back.proxy_ssl_pins:
            return
        store = self._context.get_cert_store()
        assert store is not None
        for path, setting in (
            (back.proxy_ssl_trusted_certificate, "proxy_ssl_trusted_certificate"),
            (back.proxy_ssl_crl, "proxy_ssl_crl"),
        ):
            if path and _content(path) is None:
                self._is_verified = False
                self.doubt = f"not verified: {setting} {path} is a file that the nodes have"
                return
        authorities = _content(back.proxy_ssl_trusted_certificate)
        if authorities:
            for one in read_certificates(authorities):
                store.add_cert(crypto.X509.from_cryptography(one))
        else:
            self._context.set_default_verify_paths()
        lists = _content(back.proxy_ssl_crl)
        if lists:
            for listed in blocks(lists, "CRL"):
                store.add_crl(x509.load_pem_x509_crl(listed))
            store.set_flags(crypto.X509StoreFlags.CRL_CHECK | crypto.X509StoreFlags.CRL_CHECK_ALL)

    def seal(self, name: str, below: socket.socket, left_s: Callable[[], float]) -> "Sealed":
        """Go on in TLS with somebody who proves to be ``name``. Raises Distrusted and NoTls."""
        name = name.removesuffix(".")
        connection = SSL.Connection(self._context, None)
        connection.set_connect_state()
        if self._back.proxy_ssl_server_name and not is_address(name):
            connection.set_tlsext_host_name(name.encode("ascii", "replace"))
        judge = _Judge(self._back, name)
        if self._is_verified:
            connection.set_verify(SSL.VERIFY_PEER, judge)
            if not self._back.proxy_ssl_pins:
                _expect_name(connection, name)
        sealed = Sealed(connection, below, left_s)
        try:
            sealed.shake_hands()
        except SSL.Error as fault:
            sealed.send_waiting()
            if judge.verdict:
                raise Distrusted(judge.verdict) from None
            raise NoTls(_words(fault)) from None
        return sealed


class Policies:
    """The policies of one round, each made once: one costs up to 830 kB."""

    def __init__(self) -> None:
        self._known: dict[BackTls, Policy] = {}
        self._lock = threading.Lock()

    def of(self, back: BackTls) -> Policy:
        """Give a policy. Raises ValueError and SSL.Error."""
        with self._lock:
            found = self._known.get(back)
            if found is None:
                found = self._known[back] = Policy(back)
            return found


class Sealed:
    """A connection in TLS, used as a socket is: every failure is an OSError."""

    def __init__(
        self, connection: SSL.Connection, below: socket.socket, left_s: Callable[[], float]
    ) -> None:
        self._tls, self._below, self._left_s = connection, below, left_s

    def shake_hands(self) -> None:
        """Begin. Raises SSL.Error."""
        while True:
            try:
                self._tls.do_handshake()
            except SSL.WantReadError:
                self._exchange()
            else:
                self.send_waiting()
                return

    def recv(self, size: int) -> bytes:
        """Read what there is; nothing at the end."""
        while True:
            try:
                return bytes(self._tls.recv(size))
            except SSL.WantReadError:
                self._exchange()
            except SSL.ZeroReturnError:
                return b""
            except SSL.Error as fault:
                raise NoTls(_words(fault)) from None

    def sendall(self, data: bytes) -> None:
        """Send octets."""
        try:
            self._tls.sendall(data)
        except SSL.Error as fault:
            raise NoTls(_words(fault)) from None
        self.send_waiting()

    def settimeout(self, left_s: float) -> None:
        """Do nothing: each step below asks for what is left of the whole time."""

    def close(self) -> None:
        """Close without a word."""
        self._below.close()

    def send_waiting(self) -> None:
        """Send what TLS has to say."""
        self._below.settimeout(self._left_s())
        try:
            while True:
                self._below.sendall(self._tls.bio_read(_READ))
        except SSL.WantReadError:
            return

    def _exchange(self) -> None:
        self.send_waiting()
        data = self._below.recv(_READ)
        if not data:
            raise ConnectionError("it closed the connection in the TLS handshake")
        self._tls.bio_write(data)


class _Judge:
    """Judges one chain as nodes do."""

    def __init__(self, back: BackTls, name: str) -> None:
        self._pins, self._name = back.proxy_ssl_pins, name
        self.verdict = ""

    def __call__(
        self, _of: SSL.Connection, found: crypto.X509, code: int, depth: int, good: int
    ) -> bool:
        certificate = found.to_cryptography()
        if self._pins:
            if depth > 0 or _pin(certificate) in self._pins:
                return True
            code, good = NOT_PINNED, 0
        if not good:
            text = lib.X509_verify_cert_error_string(code)
            words = bytes(ffi.string(text)).decode("ascii", "replace")
            self.verdict = explained(code, words, _shown(certificate), self._name)
        return bool(good)


def _expect_name(connection: SSL.Connection, name: str) -> None:
    """Have the certificate be for a name or an address. Raises ValueError."""
    expected: Any = lib.SSL_get0_param(connection._ssl)  # noqa: SLF001  (pyOpenSSL has no method)
    if is_address(name):
        octets = ipaddress.ip_address(name).packed
        done = lib.X509_VERIFY_PARAM_set1_ip(expected, octets, len(octets))
    else:
        lib.X509_VERIFY_PARAM_set_hostflags(expected, _NO_PARTIAL_WILDCARDS)
        octets = name.encode("ascii", "replace")
        # no name would mean any
        done = lib.X509_VERIFY_PARAM_set1_host(expected, octets, len(octets)) if name else 0
    if done != 1:
        raise ValueError(f'"{name}" is nothing a certificate can be for')


def _content(value: str) -> bytes | None:
    """Give what a path or a ``data:`` value holds; None: there is no such file here."""
    if value.startswith(DATA):
        return value.removeprefix(DATA).encode()
    if not value:
        return b""
    try:
        with open(value, "rb") as file:
            return file.read()
    except OSError:
        return None


def _pin(certificate: x509.Certificate) -> str:
    digest = hashlib.sha256(spki(certificate.public_key())).digest()
    return "sha256/" + base64.b64encode(digest).decode()


def _shown(certificate: x509.Certificate) -> Shown:
    subject = certificate.subject.rfc4514_string()
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        said = [f"DNS:{name}" for name in names.get_values_for_type(x509.DNSName)]
        said += [f"IP Address:{one}" for one in names.get_values_for_type(x509.IPAddress)]
    except (x509.ExtensionNotFound, ValueError):
        said = []
    return Shown(
        subject=subject,
        since=certificate.not_valid_before_utc.strftime(_WHEN),
        until=certificate.not_valid_after_utc.strftime(_WHEN),
        names=", ".join(said) or subject,
        pin=_pin(certificate),
    )


def _words(fault: SSL.Error) -> str:
    found = fault.args[0] if fault.args else ()
    reason = str(found[-1][-1]) if isinstance(found, list) and found else ""
    hint = HINTS.get(reason, "")
    return f"{reason or 'the handshake failed'}{': ' if hint else ''}{hint}"
