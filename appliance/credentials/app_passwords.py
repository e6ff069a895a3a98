"""App passwords as text: made, recognised, and turned into what is stored. No database.

Twenty letters of an alphabet of 32 are 100 random bits. Nobody guesses them, so they need no slow
hash: a keyed one makes verification a look-up in an index.
"""

import hmac
import re
import secrets
from typing import Final

from appliance.lib import vault
from proxycore.contract.secret import Secret

_ALPHABET: Final = "abcdefghijkmnpqrstuvwxyz23456789"
"""Without l, o, 0 and 1, which people confuse."""
_LETTERS: Final = 20
_GROUP: Final = 5
_SEPARATORS: Final = re.compile(rb"[- ]")
_FORM: Final = re.compile(b"[%b]{%d}" % (_ALPHABET.encode(), _LETTERS))
_LABEL: Final = "app-passwords"


def make() -> Secret:
    """Make a new one, in groups that can be typed."""
    letters = "".join(secrets.choice(_ALPHABET) for _ in range(_LETTERS))
    groups = (letters[at : at + _GROUP] for at in range(0, _LETTERS, _GROUP))
    return Secret("-".join(groups))


def digests(password: bytes) -> list[str]:
    """Give what may be stored for this password, newest key first; nothing if it can be none.

    Hyphens, blanks and capitals do not matter: phones add them.
    """
    if len(password) > 64:
        return []
    letters = _SEPARATORS.sub(b"", password).lower()
    if _FORM.fullmatch(letters) is None:
        return []
    return [hmac.digest(key, letters, "sha256").hex() for key in vault.derive(_LABEL)]
