"""Password hashing for staff and for mail accounts: argon2id, at one set of costs.

t=2, 19 MiB, p=1 is OWASP's minimum for argon2id; 21 ms of CPU where Django's default takes 252 ms
(design.md §5). The auth service verifies many passwords a second, so the costs are for it.
"""

from typing import Final

import argon2
from django.contrib.auth.hashers import Argon2PasswordHasher

from appliance.lib import schemes

TIME_COST: Final = 2
MEMORY_COST_KIB: Final = 19 * 1024
PARALLELISM: Final = 1

_hasher = argon2.PasswordHasher(
    time_cost=TIME_COST, memory_cost=MEMORY_COST_KIB, parallelism=PARALLELISM
)

DUMMY_HASH: Final = _hasher.hash(b"nobody's password")
"""Verified against when there is nothing to verify against, so that the answer takes as long."""


def hash_password(password: bytes) -> str:
    """Give the argon2id hash of a mail password, in PHC form."""
    return _hasher.hash(password)


def verify_password(stored: str, password: bytes) -> bool:
    """Tell whether the password is the one hashed. An unreadable hash fits no password.

    A refusal costs an argon2id verification whatever the stored scheme: one that is quicker to
    compute must not tell that the account exists.
    """
    if schemes.verify(stored, password):
        return True
    if not is_ours(stored):
        schemes.verify(DUMMY_HASH, password)
    return False


def is_ours(stored: str) -> bool:
    """Tell whether a hash is argon2id at our costs; any other can be replaced by one that is."""
    if not stored.startswith("$argon2id$"):
        return False
    try:
        return not _hasher.check_needs_rehash(stored)
    except argon2.exceptions.InvalidHashError:
        return False


class StaffPasswordHasher(Argon2PasswordHasher):
    """Django's argon2 hasher at our costs."""

    time_cost = TIME_COST
    memory_cost = MEMORY_COST_KIB
    parallelism = PARALLELISM
