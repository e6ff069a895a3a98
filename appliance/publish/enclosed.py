"""Files that an imported nginx.conf names, given along with it: certificates, keys, lists of CAs.

They are found by their name without directories, since the paths are those of another machine.
"""

import json
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any, Final

from appliance.lib import vault
from proxycore.contract.secret import Secret
from proxycore.contract.snapshot import Snapshot, from_plain, to_plain
from proxycore.contract.tls import DATA

MAX_FILES: Final = 100
MAX_OCTETS: Final = 1_000_000
"""Of all of them."""

_WHERE: Final = ("front_tls", "back_tls")
_PEM: Final = "-----BEGIN "

Files = Mapping[str, Secret]
"""By name. Any of them may be a key."""


def check(files: Mapping[str, bytes]) -> Files:
    """Give what was uploaded as it is used. Raises ValueError, words for the operator."""
    if len(files) > MAX_FILES or sum(map(len, files.values())) > MAX_OCTETS:
        raise ValueError(f"These are more than {MAX_FILES} files or {MAX_OCTETS} octets.")
    found = {}
    for name, content in files.items():
        try:
            text = content.decode("ascii")
        except UnicodeDecodeError:
            text = ""
        if _PEM not in text:
            raise ValueError(f"{name} is no PEM file.")
        found[name] = Secret(text)
    return found


def put_in(snapshot: Snapshot, files: Files) -> Snapshot:
    """Give the snapshot with the content of each file where its path is named."""
    if not files:
        return snapshot
    plain = to_plain(snapshot, reveal=True)
    for server in plain.get("servers", []):
        for part in _WHERE:
            if part in server:
                server[part] = _replaced(server[part], files)
    return from_plain(plain)


def _replaced(value: Any, files: Files) -> Any:
    if isinstance(value, dict):
        return {name: _replaced(one, files) for name, one in value.items()}
    if isinstance(value, list):
        return [_replaced(one, files) for one in value]
    if isinstance(value, str) and value.startswith("/"):
        content = files.get(PurePosixPath(value).name)
        return f"{DATA}{content.reveal()}" if content is not None else value
    return value


def seal(files: Files) -> str:
    """Give a text that a page can hold until the preview is confirmed: nobody can read it."""
    if not files:
        return ""
    return vault.encrypt(json.dumps({name: one.reveal() for name, one in files.items()}))


def unseal(text: str) -> Files:
    """Undo ``seal``. Raises vault.Undecryptable for a text that is none of ours."""
    if not text:
        return {}
    return {name: Secret(one) for name, one in json.loads(vault.decrypt(text)).items()}
