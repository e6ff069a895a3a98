"""What other apps bring to the Publish page."""

import pytest

from appliance.publish import registry
from appliance.publish.registry import Section, StatusLine


def test_every_provider_is_asked_about_the_revision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_status_providers", {})
    registry.register_status_provider(
        "a", lambda number: [StatusLine("n1", "success", f"{number}")]
    )
    registry.register_status_provider("b", lambda number: [])
    assert registry.status_lines(4) == [StatusLine("n1", "success", "4")]


def test_the_same_name_replaces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_sections", {})
    registry.register_section("servers", lambda: Section({"servers": [1]}))
    registry.register_section("servers", lambda: Section({"servers": []}))
    assert registry.sections() == [Section({"servers": []})]
