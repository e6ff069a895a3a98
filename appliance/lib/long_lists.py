"""Lists and files of a million rows: nothing is counted, sorted or held as a whole (ADR-0030)."""

from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.utils.functional import cached_property

COUNTED: Final = 10_000
"""Rows that are counted and paged through. Behind them, a list goes on at a name."""

_LAST_CHARACTER: Final = "\U0010ffff"


class BoundedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts no further than ``COUNTED``, and says when there is more."""

    template_name = "lib/bounded_pagination.html"

    @cached_property
    def count(self) -> int:
        """Count the rows, ``COUNTED`` at most."""
        return min(self._counted, COUNTED)

    @property
    def is_more(self) -> bool:
        """Tell whether there are rows behind the last page."""
        return self._counted > COUNTED

    @cached_property
    def _counted(self) -> int:
        rows: QuerySet[Any] = self.object_list  # type: ignore[assignment]
        # without columns, joins and order of the list, an index answers
        return rows.order_by().values("pk")[: COUNTED + 1].count()


class LongListAdmin:
    """A list of perhaps a million rows, for an admin page to inherit from.

    It is in the order of one unique column, and cannot be had in another: sorting reads it all.
    """

    paginator = BoundedPaginator
    show_full_result_count = False
    list_disable_select_all = True
    sortable_by: tuple[str, ...] = ()
    list_key = ""
    """The column."""

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Lead from the last page that is counted to what is behind it."""
        response: HttpResponse = super().changelist_view(request, extra_context)  # type: ignore[misc]
        shown = getattr(response, "context_data", None) or {}
        if isinstance(response, TemplateResponse) and "cl" in shown:
            shown["cl"].behind_url = self._behind(shown["cl"])
        return response

    def _behind(self, shown: Any) -> str:
        pages: BoundedPaginator = shown.paginator
        rows = list(shown.result_list)
        if not pages.is_more or shown.page_num < pages.num_pages or not rows:
            return ""
        last = getattr(rows[-1], self.list_key)
        url: str = shown.get_query_string({f"{self.list_key}__gt": last}, ["p"])
        return url


def beginning_with(field: str, text: str) -> Q:
    """Select what begins with a text, as a range that an index of the field answers.

    Such a field has to be compared by octets: SQLite does, PostgreSQL where COLLATE "C" says so.
    """
    return Q(**{f"{field}__gte": text, f"{field}__lt": text + _LAST_CHARACTER})


def download(request: HttpRequest, parts: Iterator[str], name: str) -> StreamingHttpResponse:
    """Give a CSV file part by part, whatever its length and the speed of who takes it."""
    is_async = isinstance(request, ASGIRequest)
    answer = StreamingHttpResponse(
        _one_by_one(parts) if is_async else parts, content_type="text/csv; charset=utf-8"
    )
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    answer["Cache-Control"] = "no-store"
    return answer


async def _one_by_one(parts: Iterator[str]) -> AsyncIterator[str]:
    def following() -> str | None:
        return next(parts, None)

    while (part := await sync_to_async(following)()) is not None:
        yield part
