"""The difference of two snapshots as nginx.conf."""

from dataclasses import replace

import pytest

from appliance.publish import conf
from appliance.publish.conf import Line
from proxycore.contract.protocol import Protocol
from proxycore.contract.secret import Secret
from proxycore.contract.snapshot import AuthHttp, AuthHttpHeader, Listen, Server, Snapshot

CANARY = "canary-5f21-header"


def _snapshot(port: int = 143, secret: str = CANARY) -> Snapshot:
    auth_http = AuthHttp(
        host="192.0.2.44", headers=(AuthHttpHeader(name="X-Key", value=Secret(secret)),)
    )
    server = Server(
        name="imap",
        protocol=Protocol.IMAP,
        listens=(Listen(address="*", port=port),),
        auth_http=auth_http,
    )
    return Snapshot(servers=(server,))


def test_one_line_is_shown_with_three_around_it() -> None:
    lines = conf.difference(_snapshot(), _snapshot(port=1143))
    assert lines is not None
    assert Line("removed", "        listen *:143;") in lines
    assert Line("added", "        listen *:1143;") in lines
    assert lines[0].kind == "place"
    assert [line.kind for line in lines].count("same") == 6


def test_secrets_are_masked() -> None:
    assert CANARY not in conf.text(_snapshot())
    assert conf.difference(_snapshot(), _snapshot(secret="canary-other")) == []


def test_the_first_publication_is_all_new() -> None:
    lines = conf.difference(Snapshot(), _snapshot()) or []
    assert {line.kind for line in lines} == {"place", "added"}
    assert Line("added", "mail {") in lines


def test_texts_that_are_too_long_are_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conf, "MAX_LINES", 10)
    many = tuple(replace(_snapshot(port).servers[0], name=str(port)) for port in (1, 2))
    assert conf.difference(Snapshot(), Snapshot(servers=many)) is None
