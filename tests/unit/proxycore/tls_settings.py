"""TLS settings for property tests: within what the contract allows and an nginx.conf can say."""

from dataclasses import fields
from typing import Any

from hypothesis import strategies as st

from proxycore.contract.fields import settings_of
from proxycore.contract.secret import Secret
from proxycore.contract.tls import BackTls, Certificate, ConfCommand, FrontTls

_FILE = st.from_regex(r"/[a-z0-9 ;{}\"'#$\\]{1,12}", fullmatch=True)
_MAYBE_FILE = st.just("") | _FILE
_SECRET = _FILE.map(Secret)
_CIPHERS = st.sampled_from(["DEFAULT", "ECDHE+AESGCM:!aNULL", "HIGH", "@SECLEVEL=0"])
_PROTOCOLS = st.sets(st.sampled_from(["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"]), min_size=1).map(
    lambda names: tuple(sorted(names))
)
_COMMANDS = st.lists(
    st.builds(
        ConfCommand,
        name=st.sampled_from(["Options", "MinProtocol", "Ciphersuites"]),
        value=st.text(alphabet="aB, ;{}$'\"\\", max_size=9),
    ),
    max_size=2,
).map(tuple)
_PAIRS = st.lists(
    st.builds(Certificate, ssl_certificate=_FILE, ssl_certificate_key=_SECRET), max_size=2
).map(tuple)
_PIN = st.sampled_from(["sha256/" + letter * 43 + "=" for letter in "A+/"])


def fronts() -> st.SearchStrategy[FrontTls]:
    """Give settings that are whole: no STARTTLS without a certificate, no asking without a CA."""
    known = {
        **_simple(FrontTls),
        "starttls": st.sampled_from(["off", "on", "only"]),
        "certificates": _PAIRS,
        "ssl_session_timeout_ms": st.integers(1, 604_800).map(lambda seconds: seconds * 1000),
        "ssl_session_ticket_key": st.lists(_SECRET, max_size=2).map(tuple),
        "ssl_verify_client": st.sampled_from(["off", "on", "optional", "optional_no_ca"]),
    }
    return st.tuples(st.builds(FrontTls, **known), _caches()).map(_whole)


def _caches() -> st.SearchStrategy[dict[str, Any]]:
    count = st.integers(0, 10_000_000)
    # one size for all: a name has one
    return st.builds(_cache, st.sampled_from(["off", "none", "stored"]), count, st.booleans())


def _cache(mode: str, count: int, shared: bool) -> dict[str, Any]:
    found: dict[str, Any] = {"ssl_session_cache": mode}
    if mode == "stored":
        found["ssl_session_cache_builtin_count"] = count
    if shared or (mode == "stored" and not count):
        found["ssl_session_cache_shared_name"] = "TLS"
        found["ssl_session_cache_shared_bytes"] = 40_961
    return found


def _whole(parts: tuple[FrontTls, dict[str, Any]]) -> FrontTls:
    front, cache = parts
    values = {one.name: getattr(front, one.name) for one in fields(FrontTls)} | cache
    if not front.certificates:
        values["starttls"] = "off"
    if not front.ssl_client_certificate:
        values["ssl_trusted_certificate"] = "/ca.pem"
    return FrontTls(**values)


def backs() -> st.SearchStrategy[BackTls]:
    """Give settings that are whole: a key with its certificate, pins where one looks."""
    known = {
        **_simple(BackTls),
        "proxy_ssl": st.sampled_from(["none", "implicit", "starttls"]),
        "proxy_ssl_pins": st.lists(_PIN, max_size=2).map(tuple),
        "proxy_ssl_name": st.sampled_from(["", "mail.example", "10.0.0.1"]),
    }
    return st.builds(BackTls, **known).map(_whole_back)


def _whole_back(back: BackTls) -> BackTls:
    values = {one.name: getattr(back, one.name) for one in fields(BackTls)}
    if back.proxy_ssl_pins:
        values["proxy_ssl_verify"] = True
    if not (back.proxy_ssl_certificate and back.proxy_ssl_certificate_key):
        values |= {"proxy_ssl_certificate": "", "proxy_ssl_certificate_key": Secret("")}
    return BackTls(**values)


def _simple(cls: type) -> dict[str, st.SearchStrategy[Any]]:
    found: dict[str, st.SearchStrategy[Any]] = {}
    declared = settings_of(cls)
    for one in fields(cls):
        name = one.name
        if isinstance(one.default, bool):
            found[name] = st.booleans()
        elif name.endswith("_protocols"):
            found[name] = _PROTOCOLS
        elif name.endswith("_ciphers"):
            found[name] = _CIPHERS
        elif name.endswith("_conf_command"):
            found[name] = _COMMANDS
        elif isinstance(one.default, Secret):
            found[name] = _MAYBE_FILE.map(Secret)
        elif "path" in declared[name].help:
            found[name] = _MAYBE_FILE
        elif name.endswith("_depth"):
            found[name] = st.integers(0, 100)
    return found
