"""Pages of import and export: give a file, see what it would do, let it be done, see how far."""

from itertools import islice
from typing import Any, Final

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from unfold.widgets import UnfoldAdminFileFieldWidget

from appliance.lib.long_lists import download
from appliance.routing import tasks
from appliance.routing.choices import ImportState
from appliance.routing.models import ImportJob
from appliance.routing.transfer import reading, services
from appliance.routing.transfer.tables import TABLES, Table

MAX_OCTETS: Final = 512 * 1024 * 1024
"""A million accounts with argon2id hashes are 150 MB."""

_MODEL: Final = {"accounts": "account", "routes": "route"}


class FileForm(forms.Form):
    """A CSV file."""

    file = forms.FileField(
        label="CSV file", widget=UnfoldAdminFileFieldWidget(attrs={"accept": ".csv,text/csv"})
    )

    def clean_file(self) -> Any:
        """Refuse what is beyond all measure."""
        given = self.cleaned_data["file"]
        if given.size > MAX_OCTETS:
            raise forms.ValidationError("It has more than 512 MiB. Give it in several files.")
        return given


def import_view(request: HttpRequest, kind: str) -> HttpResponse:
    """Take a file, to be looked at by a worker."""
    table = _table(kind)
    _demand(request, kind, "add", "change")
    form = FileForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        author = request.user.get_username()
        try:
            job = services.take(kind, form.cleaned_data["file"], author)
        except reading.NotATable as fault:
            form.add_error("file", str(fault))
        else:
            tasks.go_on_importing.delay(job.pk)
            return HttpResponseRedirect(reverse("import_job", args=[job.pk]))
    context = _context(request, f"Import {table.title.lower()}", table=table, form=form)
    return TemplateResponse(request, "routing/import.html", context)


def job_view(request: HttpRequest, pk: int) -> HttpResponse:
    """Confirm or stop an import, or see how far it is."""
    job = get_object_or_404(ImportJob, pk=pk)
    _demand(request, job.kind, "add", "change")
    if request.method == "POST":
        if "stop" in request.POST:
            if services.stop(job):
                messages.info(request, "The import is stopped.")
        elif services.confirm(job):
            tasks.go_on_importing.delay(job.pk)
            messages.success(request, "The import has begun.")
        return HttpResponseRedirect(reverse("import_job", args=[job.pk]))
    context = _context(
        request,
        f"Import of {job.kind}",
        job=job,
        table=_table(job.kind),
        bad=list(islice(services.bad_lines(job), reading.SHOWN)),
        taken=job.lines - job.bad,
        effective=job.new + job.changed,
        is_under_way=job.state in (ImportState.CHECKING, ImportState.RUNNING),
        shown=reading.SHOWN,
    )
    return TemplateResponse(request, "routing/import_job.html", context)


def bad_lines_view(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Give the lines that are left out as a file."""
    job = get_object_or_404(ImportJob, pk=pk)
    _demand(request, job.kind, "add", "change")
    return download(request, services.export_bad(job), f"{job.kind}-wrong-lines.csv")


def export_view(request: HttpRequest, kind: str) -> HttpResponseBase:
    """Give everything as a file."""
    table = _table(kind)
    _demand(request, kind, "view")
    return download(request, services.export(table), f"{kind}.csv")


def _table(kind: str) -> Table:
    if kind not in TABLES:
        raise Http404
    return TABLES[kind]


def _demand(request: HttpRequest, kind: str, *actions: str) -> None:
    needed = [f"routing.{action}_{_MODEL[kind]}" for action in actions]
    if not request.user.has_perms(needed):
        raise PermissionDenied


def _context(request: HttpRequest, title: str, **more: Any) -> dict[str, Any]:
    table: Table = more["table"]
    back = reverse(f"admin:routing_{_MODEL[table.kind]}_changelist")
    return {**admin.site.each_context(request), "title": title, "back": back, **more}


urlpatterns: list[URLPattern] = [
    path("import/<str:kind>/", admin.site.admin_view(import_view), name="import"),
    path("import/job/<int:pk>/", admin.site.admin_view(job_view), name="import_job"),
    path(
        "import/job/<int:pk>/wrong/", admin.site.admin_view(bad_lines_view), name="import_bad_lines"
    ),
    path("export/<str:kind>/", admin.site.admin_view(export_view), name="export"),
]
