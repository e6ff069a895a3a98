"""Choosing by server name: nginx's order of precedence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxycore.contract.server_names import Names
from proxycore.net.tls.library import Library, Shelf
from proxycore.net.tls.refused import Refused
from tests.unit.proxycore.net.tls.ends import SERVER, front_context

NAMES: Names[str] = Names(
    "default",
    [
        ("example.com", "exact"),
        ("*.example.com", "below example.com"),
        ("*.mail.example.com", "below mail.example.com"),
        (".example.org", "org and below"),
        ("mail.*", "mail of anywhere"),
        ("mail.example.*", "mail.example of anywhere"),
        ("_", "nobody"),
        ("UPPER.example.net", "upper"),
        ("example.com", "second with the same name"),
    ],
)


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        ("", "default"),
        ("example.com", "exact"),
        ("EXAMPLE.com", "exact"),
        ("example.com.", "exact"),
        ("a.example.com", "below example.com"),
        ("a.b.example.com", "below example.com"),
        ("a.mail.example.com", "below mail.example.com"),
        ("mail.example.com", "below example.com"),
        ("example.org", "org and below"),
        ("a.example.org", "org and below"),
        ("mail.test", "mail of anywhere"),
        ("mail.example.net", "mail.example of anywhere"),
        ("upper.example.net", "upper"),
        ("xexample.com", "default"),
        ("com", "default"),
        ("other", "default"),
        (".", "default"),
        ("..", "default"),
    ],
)
def test_which_block_a_name_means(name: str, meaning: str) -> None:
    assert NAMES.choose(name) == meaning


def test_a_lone_star_is_any_name_but_not_no_name() -> None:
    names = Names("default", [("_", "b"), ("*", "b")])
    assert names.choose("anything.example") == "b"
    assert names.choose("") == "default"


@given(st.text(max_size=300))
def test_any_name_means_something(name: str) -> None:
    assert isinstance(NAMES.choose(name), str)


# --- thousands of them ---


class Block:
    def __init__(self, name: str) -> None:
        self.name = name


def library(count: int, most: int) -> tuple[Library[Block], Shelf[Block], list[str]]:
    built: list[str] = []
    blocks = [Block(f"mail{i}.example.com") for i in range(count)]

    def build(block: Block) -> object:
        built.append(block.name)
        if block.name == "mail7.example.com":
            raise Refused("ssl_certificate", "cannot load certificate")
        return object()

    names = Names(blocks[0], [(block.name, block) for block in blocks])
    shelf = Shelf(build, most=most)  # type: ignore[arg-type]
    return Library(names, shelf), shelf, built


def test_only_names_that_are_asked_for_cost_a_context() -> None:
    contexts, shelf, built = library(10_000, 100)
    assert len(shelf) == 0
    first = contexts.choose("mail1.example.com")
    assert contexts.choose("mail1.example.com") is first
    assert built == ["mail1.example.com"]


def test_unknown_names_make_no_context() -> None:
    contexts, shelf, built = library(10, 100)
    for i in range(1_000):
        contexts.choose(f"random{i}.example.net")
    assert built == ["mail0.example.com"]
    assert len(shelf) == 1


def test_the_longest_unused_is_forgotten_and_made_again() -> None:
    contexts, shelf, built = library(100, 2)
    for name in ("mail1", "mail2", "mail1", "mail3", "mail1", "mail2"):
        contexts.choose(f"{name}.example.com")
    assert [name.partition(".")[0] for name in built] == ["mail1", "mail2", "mail3", "mail2"]
    assert len(shelf) == 2


def test_a_name_whose_context_fails_fails_alone_and_is_tried_again() -> None:
    contexts, _, built = library(10, 100)
    for _ in range(2):
        with pytest.raises(Refused):
            contexts.choose("mail7.example.com")
    assert built == ["mail7.example.com"] * 2
    contexts.choose("mail8.example.com")


def test_a_library_of_real_contexts() -> None:
    names = Names(SERVER, [("mail.example.com", SERVER)])
    contexts = Library(names, Shelf(lambda pair: front_context(pair)))
    assert contexts.choose("mail.example.com") is contexts.choose("")
