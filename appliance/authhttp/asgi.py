"""``/auth_http`` as an ASGI application, in front of Django: the shortest way ASGI allows.

No session, CSRF or host check applies to a caller that is no browser, so it does not pay for any.
The auth service's own process (``listener``) is three times as quick, since it has no web server
in the way; this one is for installations without it, and for nginx on the web port.
"""

from typing import Any, Final

from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, Scope

from appliance.authhttp import views
from appliance.authhttp.desk import Desk

PATH: Final = "/auth_http"


class AuthHttp:
    """Answers ``GET /auth_http`` and hands everything else on."""

    def __init__(self, others: Any) -> None:
        self.others = others
        self.desk = Desk()

    async def __call__(
        self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        """Serve one connection."""
        if scope["type"] != "http" or scope["path"] != PATH:
            await self.others(scope, receive, send)
            return
        if scope["method"] != "GET":
            await _send(send, (405, [(b"Allow", b"GET")]))
            return
        await _send(send, await self.desk.answer(list(scope["headers"])))

    def disconnect(self) -> None:
        """Close the database connection of every thread; the next request opens a new one."""
        self.desk.disconnect()


async def _send(send: ASGISendCallable, reply: views.Reply) -> None:
    status, headers = reply
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [*headers, (b"Content-Length", b"0"), (b"Cache-Control", b"no-store")],
            "trailers": False,
        }
    )
    await send({"type": "http.response.body", "body": b"", "more_body": False})
