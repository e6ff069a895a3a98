"""Answers the questions of certificate authorities by HTTP (RFC 8555 §8.3), if the appliance asks.

A certificate for the name of a node is asked about at that node's port 80. All that is answered is
``GET`` and ``HEAD`` of ``/.well-known/acme-challenge/<token>`` for tokens that are pending now;
anything else is 404.
"""

import asyncio
import re
from collections.abc import Mapping
from typing import Final

from proxycore.contract.messages import Challenges, HttpAddress, SettingProblem
from proxycore.daemon.http_answers import HttpAnswers, name_of, response
from proxycore.daemon.logs import ErrorLogs
from proxycore.daemon.tasks import spawn

RETRY_S: Final = 5.0
"""Between attempts to listen where somebody else does."""

_REQUEST = re.compile(
    rb"(GET|HEAD) /\.well-known/acme-challenge/([A-Za-z0-9_-]{1,256}) HTTP/1\.[01]\r\n"
)


class Responder:
    """The sockets for these questions, and what is answered."""

    def __init__(self, logs: ErrorLogs) -> None:
        self._logs = logs
        self._asked = Challenges(digest="", listen=(), answers={})
        self._servers: dict[HttpAddress, asyncio.Server] = {}
        self._problems: dict[HttpAddress, str] = {}
        self._retrying: asyncio.Task[None] | None = None
        self._changing = asyncio.Lock()
        self._http = HttpAnswers(lambda request: answer(request, self._asked.answers))

    @property
    def digest(self) -> str:
        """What of ``Challenges`` is answered by; empty: nobody is."""
        return self._asked.digest

    @property
    def problems(self) -> tuple[SettingProblem, ...]:
        """Addresses that cannot be listened on now."""
        return tuple(
            SettingProblem(path=f"acme_http_listen[{i}]", message=self._problems[one])
            for i, one in enumerate(self._asked.listen)
            if one in self._problems
        )

    async def use(self, asked: Challenges) -> None:
        """Answer by these and listen there, as far as that is possible; the rest is tried again."""
        async with self._changing:
            self._asked = asked
            for place in [place for place in self._servers if place not in asked.listen]:
                self._servers.pop(place).close()
                self._logs.write("notice", f"no longer answering challenges on {name_of(place)}")
            self._problems = {k: v for k, v in self._problems.items() if k in asked.listen}
            await self._open_missing()
        if self._problems and self._retrying is None:
            self._retrying = spawn(self._retry(), name="challenges retry")

    async def close(self) -> None:
        """Close everything; ``use`` opens it again."""
        if self._retrying is not None:
            self._retrying.cancel()
            self._retrying = None
        await self.use(Challenges(digest="", listen=(), answers={}))

    async def _open_missing(self) -> None:
        for place in self._asked.listen:
            if place in self._servers:
                continue
            try:
                server = await self._http.listen(place)
            except (OSError, ValueError, OverflowError) as error:
                words = getattr(error, "strerror", None) or str(error)
                text = f"challenges cannot be answered on {name_of(place)}: {words}"
                if self._problems.get(place) != text:
                    self._logs.write("error", text)
                self._problems[place] = text
            else:
                self._servers[place] = server
                self._problems.pop(place, None)
                self._logs.write("notice", f"answering challenges on {name_of(place)}")

    async def _retry(self) -> None:
        while self._problems:
            await asyncio.sleep(RETRY_S)
            async with self._changing:
                await self._open_missing()
        self._retrying = None


def answer(request: bytes, answers: Mapping[str, str]) -> bytes:
    """Give the whole response to the head of a request."""
    found = _REQUEST.match(request)
    value = answers.get(found[2].decode()) if found else None
    if found is None or value is None:
        return response("404 Not Found", b"")
    body = value.encode()
    return response("200 OK", body, shown=found[1] == b"GET")
