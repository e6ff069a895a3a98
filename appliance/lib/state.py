"""The state directory: what the appliance creates for itself, readable by its owner only.

Called while settings are being read, so it may import nothing that needs settings.
"""

import os
import secrets
from pathlib import Path
from typing import Final

from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

STATE_DIR_HELP: Final = "POSTROAD_STATE_DIR names the state directory: one this user may write to."


def make_private_directory(path: Path) -> Path:
    """Give the directory, created with mode 0700 if it is not there.

    Raises ImproperlyConfigured.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ImproperlyConfigured(
            f"{path} cannot be made: {error.strerror}. {STATE_DIR_HELP}"
        ) from None
    return path


def read_keys(path: Path) -> list[str]:
    """Give the encryption keys, newest first; the first start creates the file.

    The file holds one Fernet key per line. To rotate, put a new one on top: it encrypts from then
    on, and the others still decrypt. Lines that begin with ``#`` are remarks.
    """
    try:
        if not path.exists():
            _create(path)
        text = path.read_text("ascii")
    except OSError as error:
        raise ImproperlyConfigured(
            f"{path} cannot be used: {error.strerror}. {STATE_DIR_HELP}"
        ) from None
    except UnicodeDecodeError:
        raise ImproperlyConfigured(f"{path} holds what is no key") from None
    lines = (line.strip() for line in text.splitlines())
    keys = [line for line in lines if line and not line.startswith("#")]
    if not keys:
        raise ImproperlyConfigured(f"{path} holds no key")
    for key in keys:
        try:
            Fernet(key)
        except ValueError:
            # the key itself must not appear in an error
            raise ImproperlyConfigured(f"{path} holds a line that is not a key") from None
    return keys


def add_key(path: Path) -> None:
    """Put a new key on top of the file."""
    _replace(path, [Fernet.generate_key().decode("ascii"), *path.read_text("ascii").splitlines()])


def keep_newest_key(path: Path) -> int:
    """Drop every key but the newest; give how many went."""
    keys = read_keys(path)
    _replace(path, keys[:1])
    return len(keys) - 1


def _replace(path: Path, lines: list[str]) -> None:
    """Write the file anew, aside and then into place."""
    draft = _write_aside(path, "".join(f"{line}\n" for line in lines).encode("ascii"))
    draft.replace(path)


def _create(path: Path) -> None:
    # Written aside and linked into place: of two processes that start at once one wins, and
    # neither ever reads half a file.
    make_private_directory(path.parent)
    draft = _write_aside(path, Fernet.generate_key() + b"\n")
    try:
        os.link(draft, path)
    except FileExistsError:
        return
    finally:
        draft.unlink()


def _write_aside(path: Path, content: bytes) -> Path:
    """Write a file that only we may read, beside the one it is for."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        draft.unlink()
        raise
    return draft
