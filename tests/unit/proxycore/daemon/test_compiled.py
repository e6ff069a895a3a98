"""Which copy of the data plane workers run: the compiled one only if it is of these sources."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from mypyc.build import mypycify

from proxycore.daemon import compiled, compiling


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A little proxycore of its own, and a compiled copy that fits."""
    root = tmp_path / "sources"
    (root / "proxycore").mkdir(parents=True)
    (root / "proxycore" / "one.py").write_text("ONE = 1\n")
    copy = root / ".compiled"
    copy.mkdir()
    (copy / compiled.STAMP).write_text(compiled.fingerprint(root))
    monkeypatch.setattr(compiled, "SOURCES", root)
    monkeypatch.setattr(compiled, "COMPILED", copy)
    monkeypatch.delenv(compiled.PURE, raising=False)
    compiled.home.cache_clear()
    yield root
    compiled.home.cache_clear()


def test_a_copy_made_of_these_sources_is_run(sources: Path) -> None:
    assert compiled.home() == sources / ".compiled"


def test_a_copy_made_of_other_sources_is_not(sources: Path) -> None:
    (sources / "proxycore" / "one.py").write_text("ONE = 2\n")
    assert compiled.home() == sources


def test_a_source_more_is_another_program(sources: Path) -> None:
    (sources / "proxycore" / "two.py").touch()
    assert compiled.home() == sources


def test_without_a_copy_the_sources_are_run(sources: Path) -> None:
    (sources / ".compiled" / compiled.STAMP).unlink()
    assert compiled.home() == sources


def test_an_operator_can_have_the_sources_run(
    sources: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(compiled.PURE, "1")
    assert compiled.home() == sources


def test_sources_that_are_on_the_search_path_do_not_hide_the_copy(
    sources: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", f"/first:{sources}::/last")
    assert compiled.search_path() == f"/first:/last:{sources / '.compiled'}"


def test_all_of_the_data_plane_translates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(compiling.SOURCES / "proxycore", tmp_path / "proxycore")
    monkeypatch.chdir(tmp_path)
    # ends the test by SystemExit, with mypyc's own words, where it does not
    extensions = mypycify([*compiling.OPTIONS, *compiling.modules()])
    assert len(extensions) > len(compiling.modules())
