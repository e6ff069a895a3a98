"""``/metrics`` of a node: what it counts, for a collector on its network (Prometheus' text form).

Off unless the command line names an address. Whoever reaches it is answered: numbers only, none of
them of a user or a client, but an operator chooses an address that strangers do not reach.
"""

import asyncio
import re
from typing import Final

from proxycore.contract.exposition import CONTENT_TYPE, exposition
from proxycore.contract.messages import HttpAddress
from proxycore.daemon.http_answers import HttpAnswers, name_of, response
from proxycore.daemon.logs import ErrorLogs
from proxycore.daemon.totals import Totals

RETRY_S: Final = 5.0
"""Between attempts to listen where somebody else does."""

_REQUEST = re.compile(rb"(GET|HEAD) /metrics(?:\?\S*)? HTTP/1\.[01]\r\n")


class Metrics:
    """The socket, and what is answered."""

    def __init__(self, place: HttpAddress, totals: Totals, logs: ErrorLogs) -> None:
        self._place = place
        self._totals = totals
        self._logs = logs

    async def serve(self) -> None:
        """Answer until cancelled. A taken port does not keep mail from being served."""
        told = ""
        while True:
            try:
                # a successor program (upgrade) listens beside us until we are gone
                server = await HttpAnswers(self.answer).listen(self._place, shared=True)
                break
            except (OSError, ValueError, OverflowError) as error:
                text = f"metrics cannot be served on {name_of(self._place)}: {error}"
                if text != told:
                    self._logs.write("error", text)
                told = text
            await asyncio.sleep(RETRY_S)
        self._logs.write("notice", f"metrics are served on {name_of(self._place)}")
        async with server:
            await server.serve_forever()

    def answer(self, request: bytes) -> bytes:
        """Give the whole response to the head of a request."""
        found = _REQUEST.match(request)
        if found is None:
            return response("404 Not Found", b"")
        totals = self._totals
        text = exposition(
            ((name, value, {}) for name, value in sorted(totals.values().items())),
            ((name, row, {}) for name, row in sorted(totals.histograms().items())),
        )
        return response("200 OK", text.encode(), shown=found[1] == b"GET", kind=CONTENT_TYPE)


def parse_place(text: str) -> HttpAddress:
    """Read ``address:port``; an IPv6 address is in brackets. Raises ValueError."""
    address, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError(f'"{text}" is not address:port')
    return HttpAddress(address=address.strip("[]") or "127.0.0.1", port=int(port))
