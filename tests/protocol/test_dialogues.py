"""Every transcript of the corpus, played as it is written."""

import pytest

from tests.support.dialogue import Dialogue, load_all
from tests.support.machine import Player

CORPUS = load_all()


@pytest.mark.parametrize("dialogue", CORPUS, ids=lambda dialogue: dialogue.name)
def test_the_story_goes_as_written(dialogue: Dialogue) -> None:
    Player(dialogue).play()


def test_every_protocol_has_stories() -> None:
    assert {dialogue.path.parent.name for dialogue in CORPUS} == {"imap", "pop3", "smtp"}
