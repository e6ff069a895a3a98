"""The history in the admin: searched, read, exported; nobody changes it."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone

from appliance.history import causes, export, names, queries, shown
from appliance.history.forms import SearchForm
from appliance.history.models import SessionRecord
from appliance.history.reading import shown_address
from appliance.lib.admin import PostroadAdmin
from appliance.lib.long_lists import download

EXPORT: str = "history.export_sessionrecord"
EXPLAIN_NEEDS = ("routing.view_route", "routing.view_account")
"""As its own page says, in an app above this one."""


@admin.register(SessionRecord)
class SessionRecordAdmin(PostroadAdmin):
    """Sessions and failed logins that are over."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody may."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody may."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody may."""
        return False

    def remove(self, objects: Iterable[Any]) -> None:
        """Nobody may."""
        raise PermissionDenied

    def get_urls(self) -> list[URLPattern]:
        """There are the search, its export, and a page for each record."""
        site = self.admin_site.admin_view
        return [
            path("", site(self.changelist_view), name="history_sessionrecord_changelist"),
            path("export/", site(self.export_view), name="history_sessionrecord_export"),
            path("<int:pk>/", site(self.detail_view), name="history_sessionrecord_change"),
        ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Search, page by page."""
        self._admit(request)
        form = SearchForm(request.GET)
        context = {
            **self.admin_site.each_context(request),
            "title": "History",
            "opts": self.opts,
            "form": form,
            "intake": [(names.name_of(one.node), one) for one in queries.intake()],
            "has_searched": any(request.GET.get(name) for name in form.fields),
        }
        if form.is_valid():
            known = names.all_names()
            found = queries.page(form.search(), _before(request.GET))
            asked = _asked(request.GET)
            context |= {
                "lines": [shown.line(row, known) for row in found.rows],
                "older": found.older and _older(asked, found.older),
                "newest": "before" in request.GET and f"?{urlencode(asked)}",
                "export_link": self._export_link(request, asked),
                "is_recent_only": form.is_recent_only,
            }
        return TemplateResponse(request, "history/sessionrecord_list.html", context)

    def export_view(self, request: HttpRequest) -> HttpResponseBase:
        """Give what is searched as CSV."""
        self._admit(request)
        form = SearchForm(request.GET)
        if not request.user.has_perm(EXPORT) or not form.is_valid():
            raise PermissionDenied
        return download(request, export.parts(form.search(), _asked(request.GET)), "history.csv")

    def detail_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Tell all that is known of one session, or of one failed login."""
        self._admit(request)
        record = get_object_or_404(SessionRecord, pk=pk)
        known = names.all_names()
        outcome, tone = shown.outcome_of(record)
        context = {
            **self.admin_site.each_context(request),
            "title": f"{record.protocol.upper()} session of {record.login or 'nobody'}",
            "opts": self.opts,
            "record": record,
            "outcome": outcome,
            "tone": tone,
            "began_at": shown.began_at(record),
            "client": shown_address(record.address),
            "meaning": causes.meaning(record.reason),
            "advice": causes.advice(record.reason),
            "phases": [] if record.attempt else shown.phases(record),
            "relayed": record.relay_ms is not None and shown.duration(record.relay_ms),
            "total": shown.duration(record.total_ms),
            "facts": shown.facts(record, known),
            "tls": shown.tls_facts(record),
            "failed": [] if record.attempt else queries.attempts_of(record),
            "whole": queries.session_of(record) if record.attempt else None,
            "explain": request.user.has_perms(EXPLAIN_NEEDS) and shown.explain_link(record),
            "same_user": record.login and _search(user=record.login),
            "same_address": record.address and _search(address=shown_address(record.address)),
        }
        return TemplateResponse(request, "history/sessionrecord_change.html", context)

    def _admit(self, request: HttpRequest) -> None:
        if not self.has_view_permission(request):
            raise PermissionDenied

    def _export_link(self, request: HttpRequest, asked: list[tuple[str, str]]) -> str:
        if not request.user.has_perm(EXPORT):
            return ""
        return f"{reverse('admin:history_sessionrecord_export')}?{urlencode(asked)}"


def _search(**asked: str) -> str:
    return f"{reverse('admin:history_sessionrecord_changelist')}?{urlencode(asked)}"


def _asked(given: QueryDict) -> list[tuple[str, str]]:
    return [(name, str(value)) for name, value in given.items() if name != "before" and value]


def _older(asked: list[tuple[str, str]], older: tuple[datetime, int]) -> str:
    at, pk = older
    return f"?{urlencode([*asked, ('before', f'{at.isoformat()},{pk}')])}"


def _before(given: QueryDict) -> tuple[datetime, int] | None:
    """Read where a page begins; what makes no sense is the first page."""
    at, _, pk = given.get("before", "").partition(",")
    try:
        moment = datetime.fromisoformat(at)
        return (moment if moment.tzinfo else timezone.make_aware(moment)), int(pk)
    except (ValueError, OverflowError):
        return None
