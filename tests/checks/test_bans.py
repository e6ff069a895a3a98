"""Calls that are wrong here more often than right. Each list names who may, and why.

A list may only get shorter: a file that no longer does it has to leave.
"""

import re
from pathlib import Path

from tests.checks.tree import ROOT, calls_of, name_of, sources

WALL_CLOCK = {
    "proxycore/daemon/access_logs.py": "syslog messages carry the time of day",
    "proxycore/daemon/crew.py": "log lines and session starts carry the time of day",
    "proxycore/daemon/logs.py": "log lines carry the time of day",
    "proxycore/daemon/managed.py": "the appliance is told the node's time, to compare",
    "proxycore/daemon/worker.py": "log lines carry the time of day",
}
"""Everything else measures with a monotonic clock, or asks Django's ``timezone.now``."""

REVEALING = {
    "appliance/acme/ca.py": "signs what is said to a CA with an account's key, and binds accounts",
    "appliance/acme/csr.py": "signs the request for a certificate with its key",
    "appliance/acme/steps.py": "keeps the key of what was issued, where that is wanted",
    "appliance/acme/solvers/rfc2136.py": "signs a dynamic update with its TSIG secret",
    "appliance/alerts/forms.py": "checks the URL of a webhook that was typed in",
    "appliance/alerts/webhook.py": "posts to the URL of a webhook, signed with its secret",
    "appliance/authhttp/callers.py": "compares an operator's header secret with a caller's",
    "appliance/authhttp/services.py": "measures a header secret; answers with a readable password",
    "appliance/certs/authority_admin.py": "shows a key made for somebody else, once",
    "appliance/certs/forms.py": "reads the key that was typed in, once",
    "appliance/certs/reading.py": "opens an encrypted key or PKCS#12 file with its passphrase",
    "appliance/credentials/admin.py": "shows a new app password, once",
    "appliance/credentials/services.py": "hashes a new app password; encrypts a readable one",
    "appliance/credentials/verifiers/auth_http.py": "sends the header secret of another service",
    "appliance/credentials/verify.py": "compares an APOP or CRAM-MD5 digest with a readable one",
    "appliance/fleet/admin.py": "shows a new node's token, once",
    "appliance/fleet/launcher/bootstrap.py": "writes the local node's token to its 0600 file",
    "appliance/fleet/launcher/welcome.py": "shows the first administrator's password, once",
    "appliance/fleet/services/nodes.py": "hashes a new node's token",
    "appliance/lib/fields.py": "encrypts a secret for the database",
    "appliance/publish/queries.py": "reads an encrypted revision",
    "appliance/routing/health/tls.py": "shows a server block's own certificate to a mail server",
    "appliance/routing/services.py": "hashes an account's password, reads an imported hash",
    "appliance/publish/enclosed.py": "puts keys that were given along into an imported nginx.conf",
    "appliance/routing/transfer/services.py": "reads a file that is imported: hashes may be in it",
    "appliance/servers/problems.py": "measures a session ticket key",
    "appliance/servers/services.py": "brings secrets and keys back from a published revision",
    "appliance/servers/snapshot.py": "puts header secrets into the snapshot for nodes",
    "appliance/servers/tls.py": "puts private and ticket keys into the snapshot for nodes",
    "appliance/fleet/common.py": "derives the session ticket keys of a group of nodes",
    "appliance/fleet/enrol.py": "gives a node's token to who has its one-time code",
    "appliance/fleet/enrolment_admin.py": "shows a one-time code, once",
    "appliance/fleet/services/enrolment.py": "hashes a new one-time code",
    "proxycore/contract/codec.py": "encodes for a node's link and state file; checks forms",
    "proxycore/daemon/crew.py": "hands the node's token to its workers over their own pipe",
    "proxycore/daemon/enrol.py": "says a one-time code to the appliance",
    "proxycore/daemon/state.py": "writes the node's token to its file",
    "proxycore/daemon/ticket_keys.py": "hands session ticket keys to the workers",
    "proxycore/daemon/link.py": "sends the node's token in the handshake",
    "proxycore/net/auth_headers.py": "sends header secrets to the auth service",
    "proxycore/net/tls/material.py": "gives keys, their passphrases and ticket keys to OpenSSL",
    "proxycore/nginxconf/kinds.py": "writes header secrets to an nginx.conf that is to work",
    "proxycore/nginxconf/dumper_tls.py": "writes paths of keys; gives the files beside it",
    "proxycore/nginxconf/tls_settings.py": "completes paths of keys",
    "proxycore/nginxconf/tls_values.py": "writes paths of keys to an nginx.conf",
    "proxycore/dialogue/profile.py": "looks for variables in the operator's headers",
}

PATHS_OF_WORKPLACES = re.compile(r"/(?:work|home|root)/[a-z]")
UNFINISHED = re.compile(r"\b(?:TODO|FIXME|XXX)\b")


def callers(packages: tuple[str, ...], *dotted: str) -> set[str]:
    return {name_of(path) for path in sources(*packages) if calls_of(path, *dotted)}


def test_the_time_of_day_is_asked_only_where_it_is_shown() -> None:
    used = callers(("proxycore", "appliance"), "time.time", "time.time_ns", "datetime.now")
    assert used == set(WALL_CLOCK)


def test_secrets_are_revealed_only_where_listed() -> None:
    assert callers(("proxycore", "appliance"), "reveal") == set(REVEALING)


def test_wire_data_is_never_split_at_what_python_takes_for_a_line() -> None:
    # bytes.splitlines() breaks at a lone CR, str.splitlines() at U+2028, too
    assert callers(("proxycore",), "splitlines") == set()


def test_nothing_is_left_for_later_in_a_comment() -> None:
    assert [name_of(path) for path in _texts() if UNFINISHED.search(_read(path))] == []


def test_no_file_names_a_path_of_somebody_s_machine() -> None:
    assert [name_of(path) for path in _texts() if PATHS_OF_WORKPLACES.search(_read(path))] == []


def _texts() -> list[Path]:
    tops = ("proxycore", "appliance", "templates", "docs", "tests")
    found = [
        path
        for top in tops
        for path in (ROOT / top).rglob("*")
        if path.suffix in (".py", ".md", ".html", ".js", ".css", ".sh")
    ]
    found += [path for path in ROOT.iterdir() if path.suffix in (".md", ".toml", ".txt")]
    return sorted(path for path in found if path != Path(__file__))


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")
