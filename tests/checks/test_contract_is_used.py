"""Whatever the contract declares, somebody makes happen.

The lists of what is not built yet may only get shorter: an entry that is no longer needed fails.
"""

from collections.abc import Iterable

from proxycore.contract import stats
from proxycore.contract.fields import settings_of
from proxycore.contract.reasons import EXPLANATIONS, CloseReason
from proxycore.contract.snapshot import (
    AccessLog,
    AuthBackup,
    AuthHttp,
    AuthHttpHeader,
    ErrorLog,
    Listen,
    Process,
    Resolver,
    Server,
    Snapshot,
)
from tests.checks.tree import attributes, names_read, sources

_READERS = ("proxycore/dialogue", "proxycore/net", "proxycore/daemon", "proxycore/policy")

_DECLARING = (
    AccessLog,
    Snapshot,
    Process,
    ErrorLog,
    Server,
    Resolver,
    Listen,
    AuthHttp,
    AuthBackup,
    AuthHttpHeader,
)
_READ_BY_DECODING = {"format"}
"""Its bound refuses what is later than ours."""
_REASONS_NOT_BUILT: set[str] = set()
_STATS_NOT_BUILT: set[str] = set()


def _mentioned(owner: str, packages: Iterable[str]) -> set[str]:
    return {
        node.attr
        for path in sources(*packages)
        for node in attributes(path)
        if getattr(node.value, "id", getattr(node.value, "attr", "")) == owner
    }


def test_every_setting_has_a_reader_in_the_daemon() -> None:
    names: set[str] = set()
    patterns = []
    for path in sources(*_READERS):
        found, found_patterns = names_read(path)
        names |= found
        patterns += found_patterns
    declared = {name for cls in _DECLARING for name in settings_of(cls)}
    unread = {
        name
        for name in declared - names
        if not any(pattern.fullmatch(name) for pattern in patterns)
    }
    assert unread == _READ_BY_DECODING


def test_every_setting_is_explained() -> None:
    for cls in _DECLARING:
        declared = settings_of(cls)
        assert set(declared) == set(cls.__dataclass_fields__)
        assert all(setting.help.endswith(".") for setting in declared.values())


def test_every_number_s_unit_is_in_its_name() -> None:
    for cls in (Process, Server, Listen, AuthHttp):
        for name, setting in settings_of(cls).items():
            if setting.unit in ("ms", "bytes"):
                assert name.endswith(f"_{setting.unit}"), name


def test_every_close_reason_is_explained() -> None:
    assert set(EXPLANATIONS) == set(CloseReason)
    assert all(text.endswith(".") for text in EXPLANATIONS.values())


def test_every_close_reason_has_a_cause() -> None:
    used = _mentioned("CloseReason", _READERS)
    assert {reason.name for reason in CloseReason} - used == _REASONS_NOT_BUILT


def test_every_stat_is_counted() -> None:
    used = _mentioned("stats", _READERS)
    constants = {name for name, value in vars(stats).items() if isinstance(value, stats.Stat)}
    assert constants - used == _STATS_NOT_BUILT
