"""Pages of import and export: give a file, see what it would do, let it be done, see how far."""

from typing import Any, Final

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from unfold.widgets import UnfoldAdminFileFieldWidget

from appliance.routing import tasks
from appliance.routing.choices import ImportState
from appliance.routing.models import ImportJob
from appliance.routing.transfer import reading, services
from appliance.routing.transfer.tables import TABLES, Table
from proxycore.contract.secret import Secret

MAX_OCTETS: Final = 64 * 1024 * 1024

_MODEL: Final = {"accounts": "account", "routes": "route"}


class FileForm(forms.Form):
    """A CSV file."""

    file = forms.FileField(
        label="CSV file", widget=UnfoldAdminFileFieldWidget(attrs={"accept": ".csv,text/csv"})
    )

    def clean_file(self) -> Secret:
        """Give its text; there may be password hashes in it."""
        given = self.cleaned_data["file"]
        if given.size > MAX_OCTETS:
            raise forms.ValidationError("It has more than 64 MiB. Give it in several files.")
        try:
            return Secret(given.read().decode("utf-8"))
        except UnicodeDecodeError:
            raise forms.ValidationError("It is not UTF-8. Save it as “CSV UTF-8”.") from None


def import_view(request: HttpRequest, kind: str) -> HttpResponse:
    """Take a file and say what it would do."""
    table = _table(kind)
    _demand(request, kind, "add", "change")
    form = FileForm(request.POST or None, request.FILES or None)
    context = _context(request, f"Import {table.title.lower()}", table=table, form=form)
    if request.method == "POST" and form.is_valid():
        author = request.user.get_username()
        try:
            job, report = services.take(kind, form.cleaned_data["file"], author)
        except reading.NotATable as fault:
            form.add_error("file", str(fault))
        else:
            context |= {"job": job, "report": report, "shown": reading.SHOWN}
    return TemplateResponse(request, "routing/import.html", context)


def job_view(request: HttpRequest, pk: int) -> HttpResponse:
    """Confirm an import, or see how far it is."""
    job = get_object_or_404(ImportJob, pk=pk)
    _demand(request, job.kind, "add", "change")
    if request.method == "POST":
        # released now, or interrupted before: whatever is left is written
        if services.confirm(job) or job.state == ImportState.RUNNING:
            tasks.write_import.delay(job.pk)
            messages.success(request, "The import has begun.")
        return HttpResponseRedirect(reverse("import_job", args=[job.pk]))
    percent = 100 if job.state == ImportState.DONE else 100 * job.done // max(1, job.lines)
    context = _context(
        request,
        f"Import of {job.kind}",
        job=job,
        table=_table(job.kind),
        percent=percent,
        is_running=job.state == ImportState.RUNNING,
        is_done=job.state == ImportState.DONE,
        taken=job.lines - job.bad,
    )
    return TemplateResponse(request, "routing/import_job.html", context)


def export_view(request: HttpRequest, kind: str) -> HttpResponse:
    """Give everything as a file."""
    table = _table(kind)
    _demand(request, kind, "view")
    answer = HttpResponse("".join(services.export(table)), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{kind}.csv"'
    return answer


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
    path("export/<str:kind>/", admin.site.admin_view(export_view), name="export"),
]
