"""Pages that bring nginx.conf in and out; added to the Publish page's addresses."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.widgets import UnfoldAdminRadioSelectWidget, UnfoldAdminTextareaWidget

from appliance.audit import services as audit
from appliance.lib import vault
from appliance.publish import draft, enclosed, queries, transfer
from appliance.publish.models import ConfigRevision
from appliance.publish.parts import part_of
from proxycore.contract.snapshot import groups_of

VIEW = "publish.view_configrevision"
WRITE = ("publish.publish_configrevision", "servers.change_serverblock")
_MODES = (
    ("add", "Add: blocks of the same name are replaced, others and the node processes stay"),
    ("all", "Replace everything: what is not in the file goes"),
)


class _ManyFiles(forms.ClearableFileInput):
    allow_multiple_selected = True


class _FilesField(forms.FileField):
    """Some files, as their contents by name."""

    widget = _ManyFiles(attrs={"accept": ".pem,.crt,.cer,.key"})

    def clean(self, data: Any, initial: Any = None) -> enclosed.Files:
        """Refuse what is no PEM."""
        given = {str(one.name): one for one in data or ()}
        if sum(one.size for one in given.values()) > enclosed.MAX_OCTETS:
            raise forms.ValidationError(f"These are more than {enclosed.MAX_OCTETS} octets.")
        try:
            return enclosed.check({name: one.read() for name, one in given.items()})
        except ValueError as fault:
            raise forms.ValidationError(str(fault)) from None


class ImportForm(forms.Form):
    """The text of a configuration file, pasted or uploaded."""

    text = forms.CharField(
        label="nginx.conf",
        required=False,
        strip=False,
        max_length=transfer.MAX_CHARS,
        widget=UnfoldAdminTextareaWidget(
            attrs={"rows": 16, "class": "pr-mono", "spellcheck": "false"}
        ),
    )
    file = forms.FileField(label="Or a file", required=False)
    enclosed_files = _FilesField(label="Certificates and keys it names (PEM)", required=False)
    sealed = forms.CharField(required=False, widget=forms.HiddenInput())
    """Files that were given before the preview, as nobody can read them."""
    mode = forms.ChoiceField(
        label="What becomes of the rest of the draft",
        choices=_MODES,
        initial="add",
        widget=UnfoldAdminRadioSelectWidget(),
    )

    def clean(self) -> dict[str, Any]:
        """Take the file's content in the place of the text."""
        given: dict[str, Any] = super().clean() or self.cleaned_data
        file = given.get("file")
        if file is not None:
            if file.size > transfer.MAX_CHARS:
                raise forms.ValidationError("The file is too big to be an nginx.conf.")
            # as the reader of files has it: octets that are not UTF-8 are complained about
            given["text"] = file.read().decode("utf-8", "surrogateescape")
        try:
            before = enclosed.unseal(given.get("sealed", ""))
        except vault.Undecryptable:
            before = {}
        given["enclosed_files"] = {**before, **(given.get("enclosed_files") or {})}
        if not given.get("text", "").strip() and not self.errors:
            raise forms.ValidationError("Paste a configuration, or choose a file.")
        return given


def export(request: HttpRequest, number: int = 0) -> HttpResponse:
    """Give a revision (0: the draft) as a zip, without secrets; with ``?group=`` a group's part."""
    if not request.user.has_perm(VIEW):
        raise PermissionDenied
    if number:
        title = f"Revision {number}"
        snapshot = queries.readable(get_object_or_404(ConfigRevision, number=number))
    else:
        title = "The draft"
        readable = draft.build().readable
        if readable is None:
            messages.error(request, "The draft has settings that are wrong by themselves.")
            return HttpResponseRedirect(reverse("admin:publish_configrevision_changelist"))
        snapshot = readable
    name = f"postroad-revision-{number}" if number else "postroad-draft"
    group = request.GET.get("group")
    if group in groups_of(snapshot):
        snapshot, title, name = (
            part_of(snapshot, group),
            f"{title}, group {group}",
            f"{name}-{group}",
        )
    audit.exported(f"{title} as nginx.conf")
    return HttpResponse(
        transfer.archive(snapshot, title),
        content_type="application/zip",
        headers={
            "Content-Disposition": f'attachment; filename="{name}.zip"',
            "Cache-Control": "no-store",
        },
    )


def import_conf(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """Show what a file would do to the draft; with ``take``, do it.

    context: what every admin page is given.
    """
    if not request.user.has_perms(WRITE):
        raise PermissionDenied
    form = ImportForm(request.POST or None, request.FILES or None)
    preview = None
    if request.method == "POST" and form.is_valid():
        text, mode = form.cleaned_data["text"], form.cleaned_data["mode"]
        work = transfer.take if "take" in request.POST else transfer.preview
        files = form.cleaned_data["enclosed_files"]
        preview = work(text, mode, files)
        if work is transfer.take and preview.is_possible:
            text = "The file is in the draft. Nodes take it once it is published."
            messages.success(request, text)
            return HttpResponseRedirect(reverse("admin:publish_configrevision_changelist"))
        shown = text.encode("utf-8", "replace").decode()
        form = ImportForm(initial={"text": shown, "mode": mode, "sealed": enclosed.seal(files)})
        context = {**context, "enclosed": sorted(files)}
    page = {"title": "Import nginx.conf", "form": form, "preview": preview, **context}
    answer = TemplateResponse(request, "publish/import.html", page)
    answer["Cache-Control"] = "no-store"
    return answer
