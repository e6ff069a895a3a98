"""What the workers say of their sessions before login, added up for the appliance."""

from collections import Counter
from collections.abc import Iterable
from operator import attrgetter
from typing import Any

from proxycore.contract.codec import decode
from proxycore.contract.messages import MOST_ADDRESSES, Waiting
from proxycore.contract.session import WaitingSession


def add_up(number: int, most: int, told: Iterable[dict[str, Any] | None]) -> Waiting:
    """Give the answer to a ``Survey``.

    told: of each worker the plain form of net.waiting.Surveyed; None of one that said nothing.
    """
    by_standing: Counter[str] = Counter()
    by_address: Counter[str] = Counter()
    sessions: list[WaitingSession] = []
    mute = 0
    for one in told:
        if one is None:
            mute += 1
            continue
        by_standing.update(one["by_standing"])
        by_address.update(one["by_address"])
        sessions += (decode(WaitingSession, plain) for plain in one["sessions"])
    sessions.sort(key=attrgetter("age_s"), reverse=True)
    return Waiting(
        number=number,
        total=by_standing.total(),
        by_standing=dict(by_standing),
        by_address=dict(by_address.most_common(MOST_ADDRESSES)),
        sessions=tuple(sessions[:most]),
        mute=mute,
    )
