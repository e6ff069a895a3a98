"""Enrolment codes in the admin."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from unfold.decorators import display
from unfold.widgets import UnfoldAdminIntegerFieldWidget

from appliance.fleet.models import EnrolmentCode, Node
from appliance.fleet.services import enrolment
from appliance.lib.admin import PostroadAdmin, SecretModelForm
from appliance.servers import queries as servers


class EnrolmentForm(SecretModelForm):
    """What an operator says of a code."""

    minutes = forms.IntegerField(
        min_value=1,
        max_value=enrolment.MOST_MINUTES,
        initial=enrolment.MINUTES,
        help_text="How many minutes the code is good for, 60 unless you say otherwise.",
        widget=UnfoldAdminIntegerFieldWidget,
    )

    class Meta:
        """The name is what is known beforehand."""

        model = EnrolmentCode
        fields = ("name", "group")

    def clean_name(self) -> str:
        """Refuse the name of a node that is there."""
        name = str(self.cleaned_data["name"])
        if Node.objects.filter(name=name).exists():
            raise ValidationError("There is a node of this name; give that a new token.")
        return name


@admin.register(EnrolmentCode)
class EnrolmentCodeAdmin(PostroadAdmin):
    """Codes by which machines become nodes."""

    form = EnrolmentForm
    empty_text = "A code lets one machine fetch a node's token by itself, once."
    list_display = ("name", "standing", "created_by", "created_at", "expires_at", "used_from")
    list_display_links = None
    list_select_related = ("created_by", "group")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Ask for the group where there are any."""
        return ("name", "group", "minutes") if servers.has_groups() else ("name", "minutes")

    def get_list_display(self, request: HttpRequest) -> Any:
        """Name the groups where there are any."""
        shown = self.list_display
        return (shown[0], "group", *shown[1:]) if servers.has_groups() else shown

    @display(  # type: ignore[untyped-decorator]
        description="State", label={"Open": "info", "Used": "success", "Expired": ""}
    )
    def standing(self, code: EnrolmentCode) -> str:
        """Say whether it can be used."""
        if code.used_at is not None:
            return "Used"
        return "Open" if code.expires_at > timezone.now() else "Expired"

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody may."""
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Make the code."""
        row, code = enrolment.create(
            obj.name, form.cleaned_data["minutes"], request.user, obj.group
        )
        obj.pk, obj.expires_at = row.pk, row.expires_at
        # kept for the answer to this very request, and nowhere else
        request.fresh_code = code  # type: ignore[attr-defined]

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> None:
        """The audit trail has it."""

    def response_add(
        self, request: HttpRequest, obj: Any, post_url_continue: str | None = None
    ) -> HttpResponse:
        """Show the code, once."""
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": obj.name,
            "row": obj,
            "code": request.fresh_code.reveal(),  # type: ignore[attr-defined]
            "control_url": request.build_absolute_uri("/").rstrip("/"),
        }
        return TemplateResponse(request, "fleet/enrolment_code.html", context)

    def remove(self, objects: Iterable[EnrolmentCode]) -> None:
        """Withdraw codes."""
        for row in objects:
            enrolment.withdraw(row)
