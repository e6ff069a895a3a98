"""Notices which requests have changed the draft, for publish-on-save."""

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from appliance.publish import draft, on_save


class PublishOnSave:
    """Compares the draft before and after what somebody posted who may publish.

    Whatever the page: blocks, node processes, certificates, an imported nginx.conf.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer as ever."""
        if not _counts(request):
            return self._get_response(request)
        before = draft.build().fingerprint
        response = self._get_response(request)
        on_save.note_save(request.user, before, draft.build().fingerprint)  # type: ignore[arg-type]
        return response


def _counts(request: HttpRequest) -> bool:
    if request.method != "POST" or not request.user.is_authenticated:
        return False
    return on_save.is_on() and request.user.has_perm(on_save.PERMISSION)
