"""Admin pages of the private authorities: make one, have it issue, fetch what others need."""

from collections.abc import Iterable
from typing import Any, Final

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from appliance.certs import private_ca, queries, services
from appliance.certs.choices import IssueFor, KeyKind, Usage
from appliance.certs.models import Authority, IssuedCertificate
from appliance.certs.reading import Refused
from appliance.lib.admin import PostroadAdmin, SecretModelForm, display
from appliance.lib.fields import WordsFormField

_TONES: Final = {tone: tone for tone in ("success", "warning", "danger")}
_SHOWN: Final = 200
"""Issued certificates shown of an authority."""


def _days(usual: int, label: str) -> forms.IntegerField:
    return forms.IntegerField(
        label=label,
        min_value=1,
        max_value=private_ca.MAX_DAYS,
        initial=usual,
        widget=UnfoldAdminIntegerFieldWidget(),
        help_text=f"Days from today; default {usual}.",
    )


class AuthorityForm(SecretModelForm):
    """A new authority."""

    days = _days(3650, "Valid for days")

    class Meta:
        """Its name; the rest is made."""

        model = Authority
        fields = ("name",)


class IssueForm(forms.Form):
    """A certificate to be issued."""

    purpose = forms.ChoiceField(
        label="For", choices=IssueFor.choices, widget=UnfoldAdminSelectWidget()
    )
    names = WordsFormField(
        required=False,
        label="Names",
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "mx1.internal.example 10.0.0.5"}),
        help_text="Host names and addresses, with blanks between; for a mail host what its TLS"
        " name is. Blank with a request: those it asks for.",
    )
    request = forms.CharField(
        required=False,
        label="Its request (CSR)",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 6, "spellcheck": "false"}),
        help_text="PEM text. Only its key is taken, and its names if none are given above.",
    )
    usage = forms.ChoiceField(
        label="It may prove a", choices=Usage.choices, widget=UnfoldAdminSelectWidget()
    )
    key_kind = forms.ChoiceField(
        label="Key", choices=KeyKind.choices, widget=UnfoldAdminSelectWidget()
    )
    days = _days(397, "Valid for days")

    def clean(self) -> dict[str, Any]:
        """Read the request, and have the names of somebody."""
        given: dict[str, Any] = super().clean() or self.cleaned_data
        is_request = given.get("purpose") == IssueFor.REQUEST
        given["read"] = None
        if is_request and not self.errors:
            try:
                given["read"] = private_ca.read_request(given.get("request") or "")
                given["names"] = given["names"] or private_ca.names_of(given["read"])
            except Refused as fault:
                self.add_error("request", str(fault))
        if not self.errors and not given["names"]:
            self.add_error("names", "Give at least one name.")
        return given

    def wanted(self) -> services.Wanted:
        """Give what was asked for."""
        given = self.cleaned_data
        return services.Wanted(
            given["names"],
            given["days"],
            Usage(given["usage"]),
            KeyKind(given["key_kind"]),
            given["read"],
        )


@admin.register(Authority)
class AuthorityAdmin(PostroadAdmin):
    """Private authorities: for mail hosts and nodes, not for mail clients."""

    empty_text = (
        "A private authority vouches for your own mail hosts and nodes, so that connections to"
        " them are verified without a public CA."
    )
    form = AuthorityForm
    list_display = ("name", "show_expiry", "show_issued", "created_at", "author")
    list_select_related = ("author",)
    search_fields = ("name", "fingerprint")
    change_form_outer_before_template = "certs/authority_facts.html"

    def get_queryset(self, request: HttpRequest) -> Any:
        """Leave keys where they are."""
        return super().get_queryset(request).defer("private_key")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """It is as it was made: its name is in what it issued."""
        return False

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """What it is stands above."""
        return ((None, {"fields": ("name", "days")}),) if obj is None else ()

    def get_urls(self) -> list[URLPattern]:
        """Add issuing, revoking and the downloads."""
        site = self.admin_site.admin_view
        own = [
            path("<int:pk>/issue/", site(self.issue_view), name="certs_authority_issue"),
            path("<int:pk>/authority.pem", site(self.pem_view), name="certs_authority_pem"),
            path("<int:pk>/revoked.pem", site(self.crl_view), name="certs_authority_crl"),
            path("issued/<int:pk>/revoke/", site(self.revoke_view), name="certs_issued_revoke"),
            path("issued/<int:pk>.pem", site(self.issued_view), name="certs_issued_pem"),
        ]
        return [*own, *super().get_urls()]

    @display(description="Valid until", ordering="not_after", label=_TONES)
    def show_expiry(self, authority: Authority) -> tuple[str, str]:
        """Say until when it is valid."""
        left = authority.days_left
        when = timezone.localtime(authority.not_after)
        return queries.tone(left), f"{when:%Y-%m-%d}, {queries.days(left)}"

    @display(description="Issued")
    def show_issued(self, authority: Authority) -> int:
        """Count what it vouches for."""
        return authority.issued.filter(revoked_at=None).count()

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Make it by the service."""
        services.make_authority(obj, form.cleaned_data["days"], _user(request))

    def response_add(
        self, request: HttpRequest, obj: Authority, post_url_continue: str | None = None
    ) -> HttpResponse:
        """Go on where it issues."""
        messages.success(request, f"{obj} is made; its key is stored encrypted.")
        return HttpResponseRedirect(self._page(obj))

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show what it is and what it issued."""
        authority = self.get_object(request, object_id)
        context = dict(extra_context or {})
        if authority is not None:
            left = authority.days_left
            context |= {
                "authority": authority,
                "tone": queries.tone(left),
                "days": queries.days(left),
                "issued": authority.issued.select_related("author")[:_SHOWN],
                "may_issue": self._may_issue(request),
            }
        response: HttpResponse = super().change_view(request, object_id, form_url, context)
        return response

    def issue_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Issue a certificate; a key for somebody else is shown in this answer and never again."""
        self._demand_issuing(request)
        authority = get_object_or_404(Authority, pk=pk)
        form = IssueForm(request.POST or None)
        context = self._context(request, authority, f"{authority}: issue a certificate", form=form)
        if request.method != "POST" or not form.is_valid():
            return TemplateResponse(request, "certs/authority_issue.html", context)
        is_ours = form.cleaned_data["purpose"] == IssueFor.HERE
        keep_as = form.cleaned_data["names"][0] if is_ours else ""
        try:
            issued = services.issue(authority, form.wanted(), _user(request), keep_as=keep_as)
        except Refused as fault:
            form.add_error("days" if "days" in str(fault) else "names", str(fault))
            return TemplateResponse(request, "certs/authority_issue.html", context)
        if issued.kept is not None:
            messages.success(request, f"{issued.kept} is issued, and kept with its key.")
            url = reverse("admin:certs_certificate_change", args=(issued.kept.pk,))
            return HttpResponseRedirect(url)
        context |= {
            "issued": issued.certificate,
            "key": issued.key.reveal() if issued.key else "",
            "title": f"Issued for {issued.certificate.shown_names}",
        }
        return TemplateResponse(request, "certs/authority_issued.html", context)

    def revoke_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Put one on the revocation list."""
        self._demand_issuing(request)
        issued = get_object_or_404(IssuedCertificate, pk=pk)
        if request.method == "POST":
            services.revoke(issued)
            said = "It is on the revocation list: give the new list to whoever is to refuse it."
            messages.warning(request, said)
        return HttpResponseRedirect(self._page(issued.authority))

    def pem_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Give its certificate as a file."""
        authority = self._viewed(request, pk)
        return _file(authority.pem, f"authority-{authority.pk}.pem")

    def crl_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Sign and give its revocation list, which counts up with each."""
        authority = self._viewed(request, pk)
        if request.method != "POST":
            return HttpResponseRedirect(self._page(authority))
        self._demand_issuing(request)
        return _file(services.revocation_list(authority), f"revoked-{authority.pk}.pem")

    def issued_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Give an issued certificate as a file."""
        issued = get_object_or_404(IssuedCertificate, pk=pk)
        self._viewed(request, issued.authority_id)
        return _file(issued.pem, f"certificate-{issued.pk}.pem")

    def remove(self, objects: Iterable[Authority]) -> None:
        """Delete by the service."""
        services.delete_authorities(objects)

    def _may_issue(self, request: HttpRequest) -> bool:
        return request.user.has_perm("certs.change_authority")

    def _demand_issuing(self, request: HttpRequest) -> None:
        if not self._may_issue(request):
            raise PermissionDenied

    def _viewed(self, request: HttpRequest, pk: int) -> Authority:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return get_object_or_404(Authority.objects.defer("private_key"), pk=pk)

    def _page(self, authority: Authority) -> str:
        return reverse("admin:certs_authority_change", args=(authority.pk,))

    def _context(
        self, request: HttpRequest, authority: Authority, title: str, **more: Any
    ) -> dict[str, Any]:
        common = self.admin_site.each_context(request)
        return {**common, "opts": self.opts, "authority": authority, "title": title, **more}


def _user(request: HttpRequest) -> User:
    """Give who is signed in: nobody else gets to these pages."""
    assert isinstance(request.user, User)
    return request.user


def _file(text: str, name: str) -> HttpResponse:
    answer = HttpResponse(text, content_type="application/x-pem-file")
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer
