"""The measures, in the order they run. A new one is a module here and a name in ``ALL``."""

from typing import Final

from tests.bench.measure import Measure
from tests.bench.measures import (
    auth,
    bulk,
    end_to_end,
    idle,
    login,
    messages,
    roundtrip,
    storm,
    tls,
)

ALL: Final[tuple[Measure, ...]] = (
    *login.MEASURES,
    *storm.MEASURES,
    *roundtrip.MEASURES,
    *messages.MEASURES,
    *bulk.MEASURES,
    *tls.MEASURES,
    *idle.MEASURES,
    *end_to_end.MEASURES,
    *auth.MEASURES,
)
