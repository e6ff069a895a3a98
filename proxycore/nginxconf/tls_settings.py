"""What the TLS directives of ``mail`` and of a server block come to, and what is missing in it.

The order of complaints, and the lines they blame, are nginx's (ngx_mail_ssl_merge_conf).
"""

import os
from dataclasses import fields, replace
from typing import Any, Final

from proxycore.contract.secret import Secret
from proxycore.contract.snapshot import Listen
from proxycore.contract.tls import (
    DATA,
    BackTls,
    Certificate,
    ConfCommand,
    FrontTls,
    find_back_problems,
)
from proxycore.nginxconf.listening import ListenWish
from proxycore.nginxconf.problems import Place, Report
from proxycore.nginxconf.scope import Scope
from proxycore.nginxconf.tls_values import cache_settings, provided

_FRONT: Final = "front_tls."
_BACK: Final = "back_tls."
_CACHE: Final = _FRONT + "ssl_session_cache"
_FILES: Final = frozenset(
    {
        *("ssl_certificate", "ssl_certificate_key", "ssl_password_file", "ssl_dhparam"),
        *("ssl_session_ticket_key", "ssl_client_certificate", "ssl_trusted_certificate"),
        *("ssl_crl", "proxy_ssl_trusted_certificate", "proxy_ssl_crl", "proxy_ssl_certificate"),
        *("proxy_ssl_certificate_key", "proxy_ssl_password_file"),
    }
)
_FILE_COMMANDS: Final = frozenset(
    {
        *("certificate", "privatekey", "serverinfofile", "dhparameters", "chaincapath"),
        *("chaincafile", "verifycapath", "verifycafile", "requestcafile", "requestcapath"),
        "clientcafile",
    }
)
"""Commands of OpenSSL that take a path; nginx, too, starts it from the configuration's place."""


class TlsOf:
    """TLS of one server block."""

    def __init__(self, mail: Scope, scope: Scope, directory: str) -> None:
        """``directory``: where relative paths start, the configuration file's."""
        self._mail, self._scope = mail, scope
        merged = {**mail.values, **scope.values}
        self._enabled = bool(merged.get(_FRONT + "ssl"))
        self._starttls = str(merged.get(_FRONT + "starttls", "off"))
        self._listens_tls = any(wish.options.ssl for wish in scope.values.get("listens", ()))
        self._certificates = _located(merged.get(_FRONT + "ssl_certificate", ()), directory)
        self._keys = _located(merged.get(_FRONT + "ssl_certificate_key", ()), directory)
        self.front = FrontTls(**self._front(merged, directory))
        self.back = BackTls(**_of(BackTls, merged, _BACK, directory))

    def _front(self, merged: dict[str, Any], directory: str) -> dict[str, Any]:
        known = _of(FrontTls, merged, _FRONT, directory)
        words = self._mail.values.get(_CACHE, ()), self._scope.values.get(_CACHE, ())
        known.update(cache_settings(*words))
        pairs = zip(self._certificates, self._keys, strict=False)
        known["certificates"] = tuple(
            Certificate(ssl_certificate=certificate, ssl_certificate_key=key)
            for certificate, key in pairs
        )
        return known

    def listen(self, listen: Listen) -> Listen:
        """Give a socket of the block as ``ssl on`` makes it."""
        return replace(listen, ssl=True) if self._enabled else listen

    def complain(self, report: Report) -> None:
        """Tell what is missing."""
        if mode := self._mode():
            self._complain_of_front(mode, report)
        for problem in find_back_problems(self.back, _BACK.removesuffix(".")):
            report.error(problem.message, self._place(problem.path))
        for prefix in (_FRONT + "ssl", _BACK + "proxy_ssl"):
            self._complain_of_protocols(f"{prefix}_protocols", report)

    def _mode(self) -> str:
        if self._enabled:
            return "ssl"
        if self._listens_tls:
            return "listen ... ssl"
        return "starttls" if self._starttls != "off" else ""

    def _complain_of_front(self, mode: str, report: Report) -> None:
        place = self._place_of_mode()
        by_command = any(one.name.lower() == "certificate" for one in self.front.ssl_conf_command)
        missing = self._certificates[len(self._keys) :]
        told = f'the "{mode}" directive'
        if not self._certificates and by_command:
            pass
        elif not self._certificates:
            report.error(f'no "ssl_certificate" is defined for {told}', place)
        elif not self._keys:
            report.error(f'no "ssl_certificate_key" is defined for {told}', place)
        elif missing:
            named = f'certificate "{self._given("ssl_certificate")[len(self._keys)]}" and {told}'
            report.error(f'no "ssl_certificate_key" is defined for {named}', place)
        elif len(self._keys) > len(self._certificates):
            more = '"ssl_certificate_key" is there more often than "ssl_certificate": left out'
            report.warn(more, self._place(_FRONT + "ssl_certificate_key"))
        asks = self.front.ssl_verify_client in ("on", "optional")
        if asks and not (self.front.ssl_client_certificate or self.front.ssl_trusted_certificate):
            text = "no ssl_client_certificate or ssl_trusted_certificate for ssl_verify_client"
            report.error(text, self._place(_FRONT + "ssl_verify_client"))

    def _complain_of_protocols(self, field: str, report: Report) -> None:
        merged = {**self._mail.values, **self._scope.values}
        if field in merged and not provided(merged[field]):
            instead = " ".join(FrontTls().ssl_protocols)
            name = field.partition(".")[2]
            report.warn(f'nothing of "{name}" is left: {instead} instead', self._place(field))

    def _given(self, name: str) -> tuple[str, ...]:
        merged = {**self._mail.values, **self._scope.values}
        words: tuple[str, ...] = merged.get(_FRONT + name, ())
        return words

    def _place_of_mode(self) -> Place:
        wishes: tuple[ListenWish, ...] = self._scope.values.get("listens", ())
        if places := [wish.place for wish in wishes if wish.options.ssl]:
            return places[-1]
        names = (_FRONT + "ssl", _FRONT + "starttls")
        for scope in (self._scope, self._mail):
            if found := [name for name in scope.places if name in names]:
                return scope.places[found[-1]]
        return self._scope.place

    def _place(self, path: str) -> Place:
        places = {**self._mail.places, **self._scope.places}
        return places.get(path, self._scope.place)


def _of(cls: type, merged: dict[str, Any], prefix: str, directory: str) -> dict[str, Any]:
    known: dict[str, Any] = {}
    for one in fields(cls):
        value = merged.get(prefix + one.name)
        if value is None or prefix + one.name == _CACHE:
            continue
        if one.name.endswith("_protocols"):
            value = provided(value)
            if not value:
                continue
        elif one.name.endswith("_conf_command"):
            value = tuple(_located_command(command, directory) for command in value)
        elif one.name in _FILES:
            value = _located(value, directory)
        known[one.name] = value
    return known


def _located(value: Any, directory: str) -> Any:
    """Give a path, or several, that start from the root; content stays what it is."""
    if isinstance(value, tuple):
        return tuple(_located(one, directory) for one in value)
    if isinstance(value, Secret):
        return Secret(_located(value.reveal(), directory))
    return os.path.join(directory, value) if value and not value.startswith(DATA) else value


def _located_command(command: ConfCommand, directory: str) -> ConfCommand:
    if command.name.lower() not in _FILE_COMMANDS:
        return command
    return replace(command, value=_located(command.value, directory))
