"""How octets are cut into packets must not matter: every story again, in pieces.

Compared are all commands of the whole playing, adjacent sends to one party joined.
"""

import random

import pytest

from proxycore.dialogue.commands import Command, Note, SendBack, SendFront
from tests.support.dialogue import Cut, Dialogue, at_random, bytewise, load_all
from tests.support.machine import Player

CORPUS = [dialogue for dialogue in load_all() if not dialogue.is_cut_sensitive]
SEEDS = range(10)


@pytest.mark.parametrize("dialogue", CORPUS, ids=lambda dialogue: dialogue.name)
def test_octet_by_octet(dialogue: Dialogue) -> None:
    _play_in_pieces(dialogue, bytewise)


@pytest.mark.parametrize("dialogue", CORPUS, ids=lambda dialogue: dialogue.name)
def test_cut_at_random(dialogue: Dialogue) -> None:
    for seed in SEEDS:
        chance = random.Random(f"{dialogue.name} {seed}")
        _play_in_pieces(dialogue, at_random(lambda most, chance=chance: chance.randint(1, most)))


def _play_in_pieces(dialogue: Dialogue, cut: Cut) -> None:
    done = Player(dialogue, cut).play().done
    as_written = Player(dialogue).play().done
    assert _joined(done) == _joined(as_written)
    assert _notes(done) == _notes(as_written)


def _joined(done: list[Command]) -> list[Command]:
    joined: list[Command] = []
    for command in done:
        last = joined[-1] if joined else None
        if isinstance(command, Note):
            continue
        if isinstance(command, SendFront) and isinstance(last, SendFront):
            joined[-1] = SendFront(last.data + command.data)
        elif isinstance(command, SendBack) and isinstance(last, SendBack):
            joined[-1] = SendBack(last.data + command.data)
        else:
            joined.append(command)
    return joined


def _notes(done: list[Command]) -> list[Command]:
    return [command for command in done if isinstance(command, Note)]
