"""Admin pages of requests to an outside CA: make one, fetch it, give the answer."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminTextareaWidget

from appliance.certs import services
from appliance.certs.forms import content_of, small
from appliance.certs.models import SigningRequest
from appliance.certs.reading import Material, Refused
from appliance.lib.admin import PostroadAdmin, SecretModelForm, display


class NewRequestForm(SecretModelForm):
    """What a new request asks for."""

    class Meta:
        """All that is stored beside the key."""

        model = SigningRequest
        fields = ("name", "replaces", "names", "key_kind", "organization", "country")

    def clean(self) -> dict[str, Any]:
        """Make it, so that what is wrong stands at its field."""
        given: dict[str, Any] = super().clean() or self.cleaned_data
        if not self.errors:
            try:
                services.check_request(SigningRequest(**given))
            except Refused as fault:
                field = "country" if "country" in str(fault) else "names"
                self.add_error(field, str(fault))
        return given


class AnswerForm(SecretModelForm):
    """What the CA sent."""

    answer = forms.CharField(
        required=False,
        label="Certificate and chain",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 6, "spellcheck": "false"}),
        help_text="PEM text from the CA, in whatever order. The key is here already.",
    )
    answer_file = forms.FileField(
        required=False, label="… or its file", widget=UnfoldAdminFileFieldWidget()
    )

    class Meta:
        """Nothing of the request itself changes."""

        model = SigningRequest
        fields = ()

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.material: Material | None = None

    def clean_answer_file(self) -> Any:
        """Refuse what is too big."""
        return small(self.cleaned_data.get("answer_file"))

    def clean(self) -> dict[str, Any]:
        """Read it; what is wrong with it stands at its field."""
        given: dict[str, Any] = super().clean() or self.cleaned_data
        if not self.errors:
            chain = (given.get("answer") or "").encode() or content_of(given.get("answer_file"))
            try:
                self.material = services.read_answer(self.instance, chain)
            except Refused as fault:
                self.add_error("answer", str(fault))
        return given


@admin.register(SigningRequest)
class SigningRequestAdmin(PostroadAdmin):
    """Requests that wait for their answer, and those that have it."""

    empty_text = (
        "Here a key is made, and the request (CSR) that a CA of your choice signs. The key never"
        " leaves this installation."
    )
    list_display = ("name", "show_names", "key_kind", "show_state", "created_at", "author")
    list_select_related = ("author",)
    search_fields = ("name", "names")
    change_form_outer_before_template = "certs/request_facts.html"

    def get_queryset(self, request: HttpRequest) -> Any:
        """Leave keys where they are in lists."""
        rows = super().get_queryset(request)
        match = request.resolver_match
        is_list = match is not None and match.url_name == "certs_signingrequest_changelist"
        return rows.defer("pem", "private_key") if is_list else rows

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        """Ask for a request, then for its answer."""
        kwargs["form"] = NewRequestForm if obj is None else AnswerForm
        return super().get_form(request, obj, change, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """An answered one has nothing to ask for."""
        if obj is None:
            main = ("name", "replaces", "names", "key_kind")
            subject = ("organization", "country")
            return ((None, {"fields": main}), ("More of the subject", {"fields": subject}))
        if obj.answered_at or not self.has_change_permission(request, obj):
            return ()
        return (("The answer of the CA", {"fields": ("answer", "answer_file")}),)

    def get_urls(self) -> list[URLPattern]:
        """Add the download."""
        view = self.admin_site.admin_view(self.download_view)
        own = path("<int:pk>/request.csr", view, name="certs_signingrequest_download")
        return [own, *super().get_urls()]

    @display(description="Names")
    def show_names(self, request: SigningRequest) -> str:
        """Give what it asks for."""
        return ", ".join(request.names[:3]) + (" …" if len(request.names) > 3 else "")

    @display(description="State", label={"waits for the CA": "warning", "answered": "success"})
    def show_state(self, request: SigningRequest) -> str:
        """Say whether it has its answer."""
        return "answered" if request.answered_at else "waits for the CA"

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show the request above the place for its answer."""
        found = self.get_object(request, object_id)
        context = {
            **(extra_context or {}),
            "signing": found,
            "show_save_and_add_another": False,
            "show_save_and_continue": False,
            "show_save": found is not None and found.answered_at is None,
        }
        response: HttpResponse = super().change_view(request, object_id, form_url, context)
        return response

    def download_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Give the request as a file."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        found = get_object_or_404(SigningRequest.objects.defer("private_key"), pk=pk)
        answer = HttpResponse(found.pem, content_type="application/pkcs10")
        answer["Content-Disposition"] = f'attachment; filename="request-{found.pk}.csr"'
        return answer

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Make the request, or the certificate of its answer."""
        if not change:
            services.make_request(obj, request.user)  # type: ignore[arg-type]
            return
        material = form.material
        certificate = services.take_answer(obj, material, request.user)  # type: ignore[arg-type]
        for note in material.notes:
            messages.info(request, note)
        request.made_certificate = certificate  # type: ignore[attr-defined]

    def response_add(
        self, request: HttpRequest, obj: SigningRequest, post_url_continue: str | None = None
    ) -> HttpResponse:
        """Go on where the request can be fetched."""
        messages.success(request, "The key is made and stored. Send the request below to the CA.")
        return HttpResponseRedirect(reverse("admin:certs_signingrequest_change", args=(obj.pk,)))

    def response_change(self, request: HttpRequest, obj: SigningRequest) -> HttpResponse:
        """Go on at the certificate."""
        certificate = request.made_certificate  # type: ignore[attr-defined]
        used = "Clients get it once you publish." if obj.replaces else ""
        messages.success(request, f"The answer fits its key: {certificate} is stored. {used}")
        return HttpResponseRedirect(
            reverse("admin:certs_certificate_change", args=(certificate.pk,))
        )

    def remove(self, objects: Iterable[SigningRequest]) -> None:
        """Delete by the service."""
        services.delete_requests(objects)
