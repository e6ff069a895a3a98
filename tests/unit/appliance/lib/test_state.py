"""The state directory and its key file."""

import stat
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

from appliance.lib import state


def test_the_directory_is_its_owners_only(tmp_path: Path) -> None:
    made = state.make_private_directory(tmp_path / "a" / "var")
    assert stat.S_IMODE(made.stat().st_mode) == 0o700
    assert state.make_private_directory(made) == made


def test_the_first_start_makes_a_key_that_only_its_owner_can_read(tmp_path: Path) -> None:
    file = tmp_path / "new" / "secret.key"
    keys = state.read_keys(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(keys) == 1
    assert state.read_keys(file) == keys
    assert [path.name for path in file.parent.iterdir()] == ["secret.key"]


def test_the_one_that_comes_second_takes_the_key_of_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "secret.key"
    first = Fernet.generate_key().decode()
    # as if another process had written it between the look and the writing
    monkeypatch.setattr(Path, "exists", lambda self: False)
    file.write_text(first)
    assert state.read_keys(file) == [first]


def test_remarks_and_older_keys_are_read(tmp_path: Path) -> None:
    file = tmp_path / "secret.key"
    new, old = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    file.write_text(f"# rotated in spring\n{new}\n\n{old}\n")
    assert state.read_keys(file) == [new, old]


@pytest.mark.parametrize("content", ["", "# nothing\n"])
def test_a_file_without_a_key_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "secret.key"
    file.write_text(content)
    with pytest.raises(ImproperlyConfigured, match="holds no key"):
        state.read_keys(file)


def test_a_wrong_key_is_refused_without_being_shown(tmp_path: Path) -> None:
    file = tmp_path / "secret.key"
    file.write_text("nearly-a-key\n")
    with pytest.raises(ImproperlyConfigured) as refused:
        state.read_keys(file)
    assert "nearly-a-key" not in str(refused.value)
