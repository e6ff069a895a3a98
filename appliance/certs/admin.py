"""Admin pages of the certificates."""

from collections.abc import Iterable
from contextvars import ContextVar
from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from appliance.certs import authority_admin as authority_admin  # registers its pages
from appliance.certs import queries, registry, services
from appliance.certs import request_admin as request_admin  # registers its pages
from appliance.certs.forms import CertificateForm
from appliance.certs.models import Certificate, CertificateVersion
from appliance.lib.admin import PostroadAdmin, PostroadInline, display

_USES: ContextVar[dict[int, list[queries.Use]]] = ContextVar("uses")
_TONES = {tone: tone for tone in ("success", "warning", "danger")}


class VersionInline(PostroadInline):
    """What the certificate has been."""

    model = CertificateVersion
    fields = (
        *("show_when", "event", "author", "show_names", "issuer", "key_kind", "show_until"),
        "show_fingerprint",
    )
    hide_title = True
    readonly_fields = fields
    verbose_name_plural = "History"
    tab = False
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Written by the service."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """History is not edited."""
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who may see the certificate may see what it was."""
        return request.user.has_perm("certs.view_certificate")

    @display(description="When")
    def show_when(self, version: CertificateVersion) -> str:
        """Say when it came."""
        return f"{timezone.localtime(version.created_at):%Y-%m-%d %H:%M}"

    @display(description="Names")
    def show_names(self, version: CertificateVersion) -> str:
        """Give what it was for."""
        return version.shown_names

    @display(description="Valid until")
    def show_until(self, version: CertificateVersion) -> str:
        """Give the day."""
        return f"{timezone.localtime(version.not_after):%Y-%m-%d}"

    @display(description="SHA-256")
    def show_fingerprint(self, version: CertificateVersion) -> str:
        """Give its beginning, enough to tell two apart."""
        return f"{version.fingerprint[:23]}…"


@admin.register(Certificate)
class CertificateAdmin(PostroadAdmin):
    """Certificates: what they are for, how long they last, where they are used."""

    empty_text = "A certificate proves to mail clients that they talk to you. Upload one here."
    form = CertificateForm
    inlines = (VersionInline,)
    list_display = ("name", "show_names", "issuer", "key_kind", "show_expiry", "show_uses")
    search_fields = ("name", "names", "issuer", "fingerprint")
    change_form_outer_before_template = "certs/certificate_facts.html"
    delete_confirmation_template = "certs/certificate_delete.html"
    delete_selected_confirmation_template = "certs/certificate_delete_selected.html"
    fieldsets = (
        (None, {"fields": ("name", "way")}),
        (
            "PEM",
            {
                "fields": ("chain", "chain_file", "key", "key_file", "passphrase"),
                "classes": ("pr-way-pem",),
            },
        ),
        ("PKCS#12", {"fields": ("pkcs12", "pkcs12_password"), "classes": ("pr-way-pkcs12",)}),
        ("Self-signed", {"fields": ("for_names",), "classes": ("pr-way-self",)}),
    )

    def get_queryset(self, request: HttpRequest) -> Any:
        """Leave keys and chains where they are."""
        return super().get_queryset(request).defer("pem", "private_key")

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        """A new certificate has no history."""
        return self.inlines if obj is not None else ()

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Who may only look sees the name; the rest stands above."""
        if obj is not None and not self.has_change_permission(request, obj):
            return ((None, {"fields": ("name",)}),)
        return super().get_fieldsets(request, obj)

    # --- columns ----------------------------------------------------------------------------------

    @display(description="Names")
    def show_names(self, certificate: Certificate) -> str:
        """Give what it is for, the first few of many."""
        names = certificate.names
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        return f"{', '.join(names[:3])}{more}" or "no name"

    @display(description="Valid until", ordering="not_after", label=_TONES)
    def show_expiry(self, certificate: Certificate) -> tuple[str, str]:
        """Say until when it is valid, and how long that is."""
        left = certificate.days_left
        when = timezone.localtime(certificate.not_after)
        return queries.tone(left), f"{when:%Y-%m-%d}, {queries.days(left)}"

    @display(description="Used by", empty_value="nobody")
    def show_uses(self, certificate: Certificate) -> SafeString | None:
        """Name the server blocks."""
        found = _USES.get({}).get(certificate.pk, [])
        links = ((use.url, use.label) for use in found)
        return format_html_join(", ", '<a class="pr-link" href="{}">{}</a>', links) or None

    # --- pages ------------------------------------------------------------------------------------

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Look once for the whole list at who uses what."""
        known = _USES.set(queries.uses())
        try:
            response = super().changelist_view(request, extra_context)
            # rendered here, while it is known
            return response.render() if isinstance(response, TemplateResponse) else response
        finally:
            _USES.reset(known)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show above the form what the certificate is."""
        context = dict(extra_context or {})
        certificate = self.get_object(request, object_id)
        if certificate is not None:
            left = certificate.days_left
            context |= {
                "certificate": certificate,
                "tone": queries.tone(left),
                "days": queries.days(left),
                "uses": queries.uses().get(certificate.pk, []),
                "panels": registry.panels(certificate, request),
            }
        response: HttpResponse = super().change_view(request, object_id, form_url, context)
        return response

    # --- writing ----------------------------------------------------------------------------------

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Write by the service; say what was put right and what comes next."""
        services.save(obj, form.material, event=form.event, user=request.user)  # type: ignore[arg-type]
        if form.material is None:
            return
        for note in form.material.notes:
            messages.info(request, note)
        if change and queries.uses().get(obj.pk):
            messages.warning(request, "Clients get the new certificate once you publish.")

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """History is not edited."""
        formset.save(commit=False)

    def remove(self, objects: Iterable[Certificate]) -> None:
        """Delete by the service."""
        services.delete(objects)
