"""What a managed node keeps on disk: the last snapshot that worked, and keys of session tickets.

Also reads the file with the node's token, and says who else can.
"""

import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from proxycore.contract.codec import Invalid, decode, encode
from proxycore.contract.secret import Secret
from proxycore.contract.snapshot import Snapshot, from_plain, to_plain
from proxycore.daemon.ticket_keys import SECRET_BYTES, GivenKeys

SNAPSHOT_FILE: Final = "snapshot.json"
TICKET_FILE: Final = "ticket.secret"
GIVEN_KEYS_FILE: Final = "ticket.keys.json"
DRAINED_FILE: Final = "drained"
TOKEN_FILE: Final = "node.token"  # noqa: S105  (where it is, not what it is)


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """A snapshot with the number and digest the appliance gave it."""

    number: int
    digest: str
    snapshot: Snapshot


class StateDir:
    """The node's directory (mode 0700). Files in it hold secrets, so they are 0600."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)

    def ensure(self) -> None:
        """Create the directory, or take others' rights from it. Raises OSError."""
        self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path.chmod(0o700)

    def load(self) -> Revision | None:
        """Read the last good revision; None when there is none.

        Raises ValueError, saying why, when the file is there and not usable.
        """
        file = self._path / SNAPSHOT_FILE
        try:
            plain: Any = json.loads(file.read_bytes())
            snapshot = from_plain(plain["snapshot"])
            revision = Revision(
                number=int(plain["revision"]), digest=str(plain["digest"]), snapshot=snapshot
            )
        except FileNotFoundError:
            return None
        except Invalid as error:
            # names settings, never their values
            raise ValueError(f'"{file}" is not usable: {error}') from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ValueError(f'"{file}" is not usable: {type(error).__name__}') from None
        if snapshot.digest() != revision.digest:
            raise ValueError(f'"{file}" is not usable: its digest does not match')
        return revision

    def save(self, revision: Revision) -> None:
        """Keep this revision; afterwards the file holds all of it or all of the one before.

        Raises OSError.
        """
        plain = {
            "revision": revision.number,
            "digest": revision.digest,
            "snapshot": to_plain(revision.snapshot, reveal=True),
        }
        write_atomically(self._path / SNAPSHOT_FILE, json.dumps(plain).encode(), mode=0o600)

    @property
    def token_path(self) -> str:
        """Where ``enrol`` keeps the node's token."""
        return str(self._path / TOKEN_FILE)

    def keep_token(self, token: Secret) -> None:
        """Keep a token in place of the one before. Raises OSError."""
        write_atomically(self._path / TOKEN_FILE, token.reveal().encode() + b"\n", mode=0o600)

    @property
    def is_drained(self) -> bool:
        """An appliance wants no connections accepted, also after a restart."""
        return (self._path / DRAINED_FILE).exists()

    def keep_drained(self, wanted: bool) -> None:
        """Remember that, or forget it. Raises OSError."""
        file = self._path / DRAINED_FILE
        if wanted:
            write_atomically(file, b"", mode=0o600)
        else:
            file.unlink(missing_ok=True)

    def ticket_secret(self) -> bytes:
        """Give what ticket keys are made from: the same at every start. Raises OSError."""
        file = self._path / TICKET_FILE
        try:
            secret = file.read_bytes()
        except FileNotFoundError:
            secret = b""
        if len(secret) != SECRET_BYTES:
            secret = os.urandom(SECRET_BYTES)
            write_atomically(file, secret, mode=0o600)
        return secret

    def given_keys(self) -> GivenKeys | None:
        """Give the ticket keys an appliance gave last; None without, or when they are damaged."""
        try:
            return decode(GivenKeys, json.loads((self._path / GIVEN_KEYS_FILE).read_bytes()))
        except (OSError, ValueError):
            # they are given anew within a second of connecting
            return None

    def keep_given_keys(self, keys: GivenKeys) -> None:
        """Keep these in place of the ones before. Raises OSError."""
        text = json.dumps(encode(keys, reveal=True))
        write_atomically(self._path / GIVEN_KEYS_FILE, text.encode(), mode=0o600)


def write_atomically(file: Path, data: bytes, *, mode: int) -> None:
    """Replace a file's content in one step that survives a crash. Raises OSError."""
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    try:
        fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        with os.fdopen(fd, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(fd)
        draft.rename(file)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    directory = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


class TokenFile:
    """The file with the node's token, which may be replaced while the node runs."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._token: Secret | None = None

    def read(self) -> tuple[Secret, str]:
        """Read it, as ``read_token`` does."""
        self._token, warning = read_token(self._path)
        return self._token, warning

    @property
    def token(self) -> Secret:
        """The token as last read. Raises what reading raises when it was never read."""
        return self.read()[0] if self._token is None else self._token

    def changed(self) -> bool:
        """Read again; tell whether there is another token now. A bad file leaves the old one."""
        before = self.token
        try:
            after, _ = self.read()
        except (OSError, ValueError):
            return False
        return after != before


def read_token(path: str) -> tuple[Secret, str]:
    """Read the node token; also gives a warning, or nothing, about who else can.

    Raises OSError, and ValueError for a file without a token.
    """
    with open(path, encoding="ascii") as stream:
        mode = stat.S_IMODE(os.fstat(stream.fileno()).st_mode)
        token = stream.read(4096).strip()
    if not token or any(c.isspace() or not c.isprintable() for c in token):
        raise ValueError(f'"{path}" does not hold a token')
    warning = f'"{path}" can be read by others (mode {mode:04o}); chmod 600' if mode & 0o077 else ""
    return Secret(token), warning
