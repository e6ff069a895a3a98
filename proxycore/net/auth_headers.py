"""The operator's own headers of an auth request, with variables (auth_http_header).

Headers without a variable are rendered once. A ``$`` that begins no variable is a dollar.
"""

import re
from collections.abc import Callable, Iterable
from typing import Final

from proxycore.contract.authhttp import NODE_TOKEN_HEADER, AuthRequest, escape
from proxycore.contract.secret import Secret
from proxycore.contract.snapshot import AuthHttpHeader

_VARIABLES: Final[dict[str, Callable[[AuthRequest], str]]] = {
    "remote_addr": lambda request: request.client_ip,
    "remote_port": lambda request: str(request.client_port),
    "server_addr": lambda request: request.server_ip,
    "server_port": lambda request: str(request.server_port),
    "session": lambda request: request.session,
}
_NAMES: Final = "|".join(sorted(_VARIABLES, key=len, reverse=True))
_VARIABLE: Final = re.compile(rf"\$(?:\{{({_NAMES})\}}|({_NAMES})(?![0-9A-Za-z_]))")


class OwnHeaders:
    """The end of every request to one service."""

    __slots__ = ("_parts", "constant")

    def __init__(self, headers: Iterable[AuthHttpHeader], node_token: Secret | None) -> None:
        lines = [f"{header.name}: {header.value.reveal()}\r\n" for header in headers]
        if node_token is not None:
            lines.append(f"{NODE_TOKEN_HEADER}: {node_token.reveal()}\r\n")
        text = "".join((*lines, "\r\n"))
        self._parts: list[bytes | Callable[[AuthRequest], str]] = []
        at = 0
        for found in _VARIABLE.finditer(text):
            self._parts += (text[at : found.start()].encode(), _VARIABLES[found[1] or found[2]])
            at = found.end()
        self._parts.append(text[at:].encode())
        self.constant = text.encode() if at == 0 else b""
        """All of it, when nothing in it varies."""

    def render(self, request: AuthRequest) -> bytes:
        """Give the headers of a request, with the blank line that ends it."""
        return self.constant or b"".join(
            part if isinstance(part, bytes) else escape(part(request).encode())
            for part in self._parts
        )


def uses_variables(headers: Iterable[AuthHttpHeader]) -> bool:
    """Tell whether any header asks for a fact of the session."""
    return any(_VARIABLE.search(header.value.reveal()) for header in headers)
