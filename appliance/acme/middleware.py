"""HTTP-01 (RFC 8555 §8.3): the CA asks any name of ours on port 80, without TLS and unknown to us.

In front of everything else, because everything else would refuse it: the host is not one of the
admin's, it must not be sent on to HTTPS, and nobody is logged in.
"""

import re
from collections.abc import Callable
from typing import Final

from django.http import HttpRequest, HttpResponse, HttpResponseBase

from appliance.acme import queries

PREFIX: Final = "/.well-known/acme-challenge/"
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{1,200}")
"""Base64url (RFC 8555 §8.3)."""


class AnswerChallenges:
    """Answers what is below ``PREFIX`` and passes on the rest."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer."""
        if not request.path_info.startswith(PREFIX):
            return self._get_response(request)
        token = request.path_info.removeprefix(PREFIX)
        answer = None
        if request.method in ("GET", "HEAD") and _TOKEN.fullmatch(token):
            answer = queries.answer_to(token)
        response = HttpResponse(
            answer or "not found", status=200 if answer else 404, content_type="text/plain"
        )
        response["Cache-Control"] = "no-store"
        return response
