"""Admin pages whose changes are in the audit trail instead of Django's own log."""

from collections.abc import Callable
from typing import Any, Final

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse

History = Callable[[Any, HttpRequest, str], HttpResponse]

_history: Final[list[History]] = []


def register_history(page: History) -> None:
    """Take the page of what happened to an object; the audit trail has it."""
    _history[:] = [page]


class Recorded:
    """For an admin class: "History" is what the audit trail says of the object."""

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show what happened to an object, to those who may see it."""
        if not self.has_view_or_change_permission(request):  # type: ignore[attr-defined]
            raise PermissionDenied
        return _history[0](self, request, object_id)

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> None:
        """Leave it to the audit trail."""

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> None:
        """Leave it to the audit trail."""

    def log_deletions(self, request: HttpRequest, queryset: Any) -> None:
        """Leave it to the audit trail."""
