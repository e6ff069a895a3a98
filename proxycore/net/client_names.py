"""A client's host name: its reverse name, if that name leads back to it (dialogues §4.1)."""

import ipaddress
import re
from collections.abc import Callable
from typing import Final

from proxycore.net.resolver import NOT_FOUND, Answer, Lookup, Resolver

UNAVAILABLE: Final = "[UNAVAILABLE]"
TEMPUNAVAIL: Final = "[TEMPUNAVAIL]"

RESOLVING_ADDRESS: Final = "in resolving client address"
RESOLVING_NAME: Final = "in resolving client hostname"

# CVE-2026-28753: whoever owns an address chooses its name, and the name becomes a header
_HOST_NAME: Final = re.compile(r"[0-9A-Za-z.-]{1,253}")

Log = Callable[[str, str], None]
Told = Callable[[str], None]


class Confirmation:
    """The way from an address to a name and back."""

    __slots__ = ("_ip", "_log", "_lookup", "_name", "_resolver", "_timeout_s", "_told")

    def __init__(self, resolver: Resolver, timeout_s: float, ip: str, log: Log) -> None:
        """``log`` is told of failures: message, and the action they happened in."""
        self._resolver = resolver
        self._timeout_s = timeout_s
        self._ip = ip
        self._log = log
        self._name = ""
        self._lookup: Lookup | None = None
        self._told: Told | None = None

    def begin(self, told: Told) -> str:
        """Begin; the result when it is known at once, else "" and ``told`` later."""
        found = self._resolver.names_of(self._ip, self._timeout_s, self._on_names)
        if isinstance(found, Lookup):
            self._lookup, self._told = found, told
            return ""
        result = self._take_names(found)
        if not result:
            self._told = told
        return result

    def cancel(self) -> None:
        """Nobody waits any more."""
        self._told = None
        if self._lookup is not None:
            self._lookup.cancel()
            self._lookup = None

    def _on_names(self, answer: Answer) -> None:
        self._lookup = None
        self._tell(self._take_names(answer))

    def _on_addresses(self, answer: Answer) -> None:
        self._lookup = None
        self._tell(self._take_addresses(answer))

    def _tell(self, result: str) -> None:
        told = self._told
        if result and told is not None:
            self._told = None
            told(result)

    def _take_names(self, answer: Answer) -> str:
        """Judge the reverse names; "" while the way back is looked for."""
        if answer.code:
            return self._failed(self._ip, answer, RESOLVING_ADDRESS)
        name = answer.found[0]
        if _HOST_NAME.fullmatch(name) is None:
            self._log(f'{self._ip} resolved to invalid host name "{name}"', RESOLVING_ADDRESS)
            return TEMPUNAVAIL
        self._name = name
        found = self._resolver.addresses_of(name, self._timeout_s, self._on_addresses)
        if isinstance(found, Lookup):
            self._lookup = found
            return ""
        return self._take_addresses(found)

    def _take_addresses(self, answer: Answer) -> str:
        if answer.code:
            return self._failed(f'"{self._name}"', answer, RESOLVING_NAME)
        client = ipaddress.ip_address(self._ip)
        same = any(ipaddress.ip_address(address) == client for address in answer.found)
        return self._name if same else UNAVAILABLE

    def _failed(self, what: str, answer: Answer, action: str) -> str:
        self._log(f"{what} could not be resolved ({answer.reason})", action)
        return UNAVAILABLE if answer.code == NOT_FOUND else TEMPUNAVAIL
