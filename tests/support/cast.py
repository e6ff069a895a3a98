"""Who appears in the integration tests, and where their mail is."""

from typing import Final

CANARY: Final = "canary-7f3a9c"
"""Part of every password below. It must be found in no log, state file or database."""

ALICE: Final = "alice"
ZOE: Final = "zoe"
BOB: Final = "bob"

PASSWORDS: Final = {
    ALICE: f'{CANARY} al%ce"\\pw',
    ZOE: f"{CANARY}-zoe",
    BOB: f"{CANARY}-bob",
    "bigmail": f"{CANARY}-big",
}
"""Everybody's login and password. Alice's holds what needs quoting and escaping on the way."""

MAILHOST01: Final = "mailhost01"
MAILHOST02: Final = "mailhost02"

HOST_OF: Final = {ALICE: MAILHOST01, ZOE: MAILHOST02, BOB: MAILHOST02, "bigmail": MAILHOST02}
"""Where the policy of listing 15-2 sends them: a, c, f, g to mailhost01, the rest to mailhost02."""
