"""testssl.sh against every kind of listener with the default policy, judged by its own findings."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.tls.stage import PROTOCOLS, Block, daemon, issued
from tests.support.openssl import Door
from tests.support.require import program

# the runs share two processors; the longest takes a minute
pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

_HOST = "localhost"
_RUN_WITHIN_S = 1800

_WHOLE = ("-p", "-e", "-P", "-S", "-U")
"""All that concerns mail but simulated clients, and groups of ciphers, each of which is tried."""
_FEW = ("-p", "-R", "-C")
"""Protocols, renegotiation, compression; a try of all ciphers takes as long again as all these."""

_ABOVE_LOW = ("MEDIUM", "HIGH", "CRITICAL", "FATAL")
_HARMLESS = {
    "cipher_order": "every cipher offered is a good one, so the client's hardware may choose",
    "cert_revocation": "the authority of these tests publishes no list",
}
_NOT_LOOKED_AT = {
    "engine_problem": "GOST, which nobody offers",
    "sessionresumption_ticket": "openssl 3 leaves before the ticket; see test_directives.py",
}
"""Checks that testssl.sh could not make, why, and that it does not matter."""

_OLD_PROTOCOLS = ("SSLv2", "SSLv3", "TLS1", "TLS1_1")
_GOOD_CIPHERS = re.compile(
    r"\b(TLS_(AES|CHACHA20)_\w+|ECDHE-(RSA|ECDSA)-(AES\d+-GCM|CHACHA20)\S*)\s"
)


@dataclass(frozen=True)
class Finding:
    """One line of its report."""

    id: str
    severity: str
    finding: str


Report = dict[str, Finding]
Reports = dict[tuple[str, str], Report]


def run(door: Door, authority: Path, whole: bool, to: Path) -> Report:
    """Run it once; give what it found. What it prints is in the report as well."""
    mode = ("-t", door.protocol) if door.starttls else ()
    options = ("--quiet", "--color", "0", "--warnings", "batch", "--nodns", "none")
    files = ("--add-ca", str(authority), "--jsonfile", str(to))
    done = subprocess.run(
        [
            program("testssl"),
            *(*options, *files, *(_WHOLE if whole else _FEW), *mode),
            f"{_HOST}:{door.port}",
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_RUN_WITHIN_S,
        check=False,
    )
    assert to.exists(), done.stdout + done.stderr
    found = [
        Finding(one["id"], one["severity"], one["finding"]) for one in json.loads(to.read_text())
    ]
    # it says so only here that it came to its end
    assert "scanTime" in [one.id for one in found], done.stdout
    return {one.id: one for one in found}


KINDS = [(protocol, mode) for protocol in PROTOCOLS for mode in ("implicit", "starttls")]
_SEEN_WHOLE = set(KINDS) if os.environ.get("TESTSSL_WHOLE") else {("imap", "starttls")}
"""A whole run takes a minute and a processor; `make testssl` does it for every kind."""


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reports]:
    program("testssl")
    blocks = {protocol: Block("", protocol) for protocol in PROTOCOLS}

    def for_this_host(directory: Path) -> None:
        for kind in ("ecdsa", "rsa"):
            issued(kind, _HOST).write(directory, kind)

    with (
        daemon(list(blocks.values()), before=for_this_host) as proxy,
        ThreadPoolExecutor(6) as all_at_once,
    ):
        to = tmp_path_factory.mktemp("testssl")
        runs = {
            (protocol, mode): all_at_once.submit(
                run,
                blocks[protocol].door(mode),
                proxy.directory / "authority.pem",
                (protocol, mode) in _SEEN_WHOLE,
                to / f"{protocol}-{mode}.json",
            )
            for protocol, mode in KINDS
        }
        yield {kind: running.result() for kind, running in runs.items()}


@pytest.fixture(params=sorted(_SEEN_WHOLE), ids="-".join)
def whole(reports: Reports, request: pytest.FixtureRequest) -> Report:
    return reports[request.param]


@pytest.fixture(params=KINDS, ids="-".join)
def report(reports: Reports, request: pytest.FixtureRequest) -> Report:
    return reports[request.param]


def test_nothing_above_low_but_what_is_named_here(report: Report) -> None:
    bad = {one.id.split(" <")[0] for one in report.values() if one.severity in _ABOVE_LOW}
    assert bad <= set(_HARMLESS)
    unmade = {one.id for one in report.values() if one.severity == "WARN"}
    assert unmade <= set(_NOT_LOOKED_AT)


def test_only_todays_protocols_are_offered(report: Report) -> None:
    assert {name: report[name].finding for name in _OLD_PROTOCOLS} == dict.fromkeys(
        _OLD_PROTOCOLS, "not offered"
    )
    assert report["TLS1_2"].finding == "offered"
    assert report["TLS1_3"].finding.startswith("offered with final")


def test_every_cipher_has_forward_secrecy_and_authenticated_encryption(whole: Report) -> None:
    ciphers = [one.finding for one in whole.values() if one.id.startswith("cipher_x")]
    assert len(ciphers) == 9
    assert [text for text in ciphers if not _GOOD_CIPHERS.search(text)] == []


def test_there_is_neither_renegotiation_nor_compression(report: Report) -> None:
    assert report["secure_renego"].severity == "OK"
    assert report["secure_client_renego"].finding == "not vulnerable"
    assert report["CRIME_TLS"].finding.startswith("not vulnerable")


def test_no_known_attack_works(whole: Report) -> None:
    for name in (
        "heartbleed",
        "CCS",
        "ROBOT",
        "POODLE_SSL",
        "SWEET32",
        "FREAK",
        "DROWN",
        "LOGJAM",
        "BEAST",
        "LUCKY13",
        "RC4",
        "fallback_SCSV",
    ):
        assert whole[name].severity in ("OK", "INFO"), whole[name]
    assert whole["cert_chain_of_trust <cert#1>"].finding == "passed."
