"""Dynamic updates of a DNS server (RFC 2136), signed with TSIG (RFC 8945).

Only the one record is added or removed: others of the same name, another order's or the wildcard's,
stay. Names are not looked up with the system's resolver but asked of the servers themselves.
"""

import base64
import ipaddress
import socket
from typing import TYPE_CHECKING, Final

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.tsig
import dns.update

from appliance.acme.solvers import SolverError

if TYPE_CHECKING:
    from appliance.acme.models import DnsSolver

_DNS_PORT: Final = 53
_LOOK_S: Final = 5.0
"""Seconds that a look at one name server may take."""
_IN: Final = dns.rdataclass.IN
_FAULTS: Final = (dns.exception.DNSException, OSError, EOFError)
_SAID: Final = {
    dns.rcode.REFUSED: "it refuses the update: is the key allowed to update this zone?",
    dns.rcode.NOTAUTH: "it says NOTAUTH: it does not know the key, or does not serve the zone",
    dns.rcode.NOTZONE: "the name is not in the zone",
    dns.rcode.SERVFAIL: "it failed (SERVFAIL): its log says why",
}


class Rfc2136Solver:
    """Sets records at one primary server."""

    def __init__(self, settings: "DnsSolver", *, name_server_port: int = _DNS_PORT) -> None:
        self._settings = settings
        self._where = f"DNS server {settings.server}"
        self._name_server_port = name_server_port

    def present(self, name: str, value: str) -> None:
        """Add a record beside those that are there. Raises SolverError."""
        zone, relative = self._place(name)
        update = self._update(zone)
        update.add(relative, self._settings.ttl_s, _txt(value))
        self._send(update)

    def cleanup(self, name: str, value: str) -> None:
        """Remove that record and no other. Raises SolverError."""
        zone, relative = self._place(name)
        update = self._update(zone)
        update.delete(relative, _txt(value))
        self._send(update)

    def missing(self, name: str, value: str) -> str:
        """Name an authoritative server that has not got the record yet; blank: all have it.

        The primary and every name server of the zone are asked once, none is waited for.
        Raises SolverError when the primary does not answer.
        """
        zone, _ = self._place(name)
        wanted = dns.name.from_text(name)
        if not _has(self._ask(wanted, dns.rdatatype.TXT), value):
            return self._settings.server
        for server in self._name_servers(zone):
            if not self._is_at(server, wanted, value):
                return server.to_text(omit_final_dot=True)
        return ""

    # --- where ------------------------------------------------------------------------------------

    def _place(self, name: str) -> tuple[dns.name.Name, dns.name.Name]:
        """Give the zone, and the name within it."""
        try:
            full = dns.name.from_text(name)
            told = self._settings.zone.strip()
            zone = dns.name.from_text(told) if told else self._find_zone(full)
        except (dns.exception.DNSException, UnicodeError):
            raise SolverError(f"“{name}” is no name for the DNS.") from None
        if not full.is_subdomain(zone):
            raise SolverError(f"{name} is not in the zone {zone.to_text(omit_final_dot=True)}.")
        return zone, full.relativize(zone)

    def _find_zone(self, name: dns.name.Name) -> dns.name.Name:
        """Ask for the SOA: whatever the answer, it names the zone (RFC 2308 §3)."""
        answer = self._ask(name, dns.rdatatype.SOA)
        found = [
            one.name
            for one in (*answer.answer, *answer.authority)
            if one.rdtype == dns.rdatatype.SOA and name.is_subdomain(one.name)
        ]
        if not found or not answer.flags & dns.flags.AA:
            shown = name.to_text(omit_final_dot=True)
            raise SolverError(f"The {self._where} does not serve a zone for {shown}.")
        return found[0]

    def _name_servers(self, zone: dns.name.Name) -> list[dns.name.Name]:
        answer = self._ask(zone, dns.rdatatype.NS)
        found = answer.get_rrset(answer.answer, zone, _IN, dns.rdatatype.NS)
        return sorted(one.target for one in found or ())

    def _is_at(self, server: dns.name.Name, name: dns.name.Name, value: str) -> bool:
        """Ask one name server, at the first of its addresses that answers."""
        question = _question(name, dns.rdatatype.TXT)
        for address in self._addresses_of(server):
            is_primary = address == self._address()
            port = self._port() if is_primary else self._name_server_port
            try:
                answer, _ = dns.query.udp_with_fallback(question, address, _LOOK_S, port)
            except _FAULTS:
                continue
            return _has(answer, value)
        return False

    def _addresses_of(self, server: dns.name.Name) -> list[str]:
        """Give the addresses of a name server: of the primary's own data, or the system's."""
        found = []
        for kind in (dns.rdatatype.A, dns.rdatatype.AAAA):
            answer = self._ask(server, kind)
            rows = answer.get_rrset(answer.answer, server, _IN, kind)
            found += [one.address for one in rows or ()]
        return found or _resolve(server.to_text(omit_final_dot=True), self._name_server_port)

    # --- talking to the primary -------------------------------------------------------------------

    def _ask(self, name: dns.name.Name, kind: dns.rdatatype.RdataType) -> dns.message.Message:
        try:
            answer, _ = dns.query.udp_with_fallback(
                _question(name, kind), self._address(), self._settings.timeout_s, self._port()
            )
        except _FAULTS as fault:
            raise SolverError(f"The {self._where}: {_words(fault)}.") from None
        return answer

    def _update(self, zone: dns.name.Name) -> dns.update.UpdateMessage:
        settings = self._settings
        if not settings.tsig_name:
            return dns.update.UpdateMessage(zone)
        try:
            key = dns.tsig.Key(
                settings.tsig_name,
                base64.b64decode(settings.tsig_secret.reveal().strip(), validate=True),
                settings.tsig_algorithm,
            )
        except (ValueError, dns.exception.DNSException):
            said = "The TSIG secret is not Base64, or the key has no good name."
            raise SolverError(said) from None
        return dns.update.UpdateMessage(zone, keyring=key)

    def _send(self, update: dns.update.UpdateMessage) -> None:
        try:
            answer = dns.query.tcp(update, self._address(), self._settings.timeout_s, self._port())
        except _FAULTS as fault:
            raise SolverError(f"The {self._where}: {_words(fault)}.") from None
        code = answer.rcode()
        if code != dns.rcode.NOERROR:
            said = _SAID.get(code, f"it answers {dns.rcode.to_text(code)}")
            raise SolverError(f"The {self._where}: {said}.")

    def _address(self) -> str:
        found = _resolve(self._settings.server, self._port())
        if not found:
            raise SolverError(f"The {self._where} cannot be looked up.")
        return found[0]

    def _port(self) -> int:
        return int(self._settings.port)


def _question(name: dns.name.Name, kind: dns.rdatatype.RdataType) -> dns.message.QueryMessage:
    question = dns.message.make_query(name, kind)
    # an authoritative server is asked for what it has itself
    question.flags &= ~dns.flags.RD
    return question


def _txt(value: str) -> dns.rdata.Rdata:
    # a value is base64url, RFC 8555 §8.4: nothing in it needs quoting
    return dns.rdata.from_text(_IN, dns.rdatatype.TXT, f'"{value}"')


def _has(answer: dns.message.Message, value: str) -> bool:
    found = [one for one in answer.answer if one.rdtype == dns.rdatatype.TXT]
    return any(b"".join(row.strings) == value.encode() for one in found for row in one)


def _resolve(host: str, port: int) -> list[str]:
    try:
        return [str(ipaddress.ip_address(host))]
    except ValueError:
        pass
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        return []
    return list(dict.fromkeys(str(one[4][0]) for one in found))


def _words(fault: BaseException) -> str:
    """Say what hindered, for an operator."""
    words = {
        dns.exception.Timeout: "no answer in time",
        dns.tsig.PeerBadKey: "it does not know the TSIG key",
        dns.tsig.PeerBadSignature: "the TSIG secret is not the one it has",
        dns.tsig.PeerBadTime: "its clock and ours differ too much for TSIG",
        dns.tsig.PeerBadTruncation: "it does not accept this TSIG algorithm",
        dns.tsig.BadSignature: "its answer is not signed with the TSIG secret",
        EOFError: "it ended the connection",
    }
    for kind, said in words.items():
        if isinstance(fault, kind):
            return said
    return getattr(fault, "strerror", None) or f"no good answer ({type(fault).__name__})"
