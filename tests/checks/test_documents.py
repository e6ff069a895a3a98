"""What the documents promise is what the tree holds."""

import re
from pathlib import Path

import pytest

import proxycore

ROOT = Path(__file__).resolve().parents[2]


def _read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def _required(name: str) -> set[str]:
    lines = (line.split("#")[0].strip() for line in _read(name).splitlines())
    return {line.split("==")[0] for line in lines if "==" in line}


def _explained(section: str) -> list[str]:
    return re.findall(r"^\| ([a-z0-9\[\]_-]+) \| \S", section, re.MULTILINE)


@pytest.mark.parametrize("requirements", ["requirements.txt", "requirements-dev.txt"])
def test_every_dependency_has_one_line_of_reason(requirements: str) -> None:
    sections = _read("docs/dependencies.md").split("\n## ")
    (section,) = [text for text in sections if f"(`{requirements}`)" in text.splitlines()[0]]
    assert sorted(_explained(section)) == sorted(_required(requirements))


def test_every_requirement_is_pinned_exactly() -> None:
    for name in ("requirements.txt", "requirements-dev.txt", "constraints.txt"):
        lines = (line.split("#")[0].strip() for line in _read(name).splitlines())
        loose = [line for line in lines if line and line[0] != "-" and "==" not in line]
        assert not loose, name


def test_the_changelog_names_the_version() -> None:
    assert f"({proxycore.__version__})" in _read("CHANGELOG.md") or (
        f"## {proxycore.__version__} " in _read("CHANGELOG.md")
    )


def test_the_map_of_the_tree_stays_short() -> None:
    assert len(_read("ARCHITECTURE.md").splitlines()) <= 250


def test_the_map_names_every_package() -> None:
    packages = {
        path.parent.relative_to(ROOT).as_posix()
        for top in ("proxycore", "appliance")
        for path in (ROOT / top).glob("*/__init__.py")
    }
    text = _read("ARCHITECTURE.md")
    assert not {name for name in packages if f"`{name}`" not in text}


def test_the_readme_lists_every_environment_variable() -> None:
    read = set()
    for path in (ROOT / "appliance").rglob("*.py"):
        source = path.read_text(encoding="utf-8")
        read |= set(re.findall(r'\benv\.\w+\(\s*"([A-Z_0-9]+)"', source))
    assert read, "the settings read no environment at all"
    listed = re.findall(r"^\| `POSTROAD_([A-Z_0-9]+)` \|", _read("README.md"), re.MULTILINE)
    assert sorted(listed) == sorted(read)


@pytest.mark.parametrize("name", ["ARCHITECTURE.md", "CONTRIBUTING.md", "README.md"])
def test_every_path_a_document_names_exists(name: str) -> None:
    named = re.findall(r"`((?:proxycore|appliance|tests|docs|templates)/[\w/.-]*)`", _read(name))
    assert [path for path in named if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("path", sorted(ROOT.glob("docs/**/*.md")) + sorted(ROOT.glob("*.md")))
def test_relative_links_of_a_document_lead_somewhere(path: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8"))
    dead = [link for link in links if "://" not in link and not (path.parent / link).exists()]
    assert not dead
