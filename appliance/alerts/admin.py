"""Admin pages: what is wrong now and was before, and who is told of it."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Final

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince

from appliance.alerts import queries, registry, services
from appliance.alerts.choices import TONES, DeliveryState, Severity, Way
from appliance.alerts.forms import RecipientForm
from appliance.alerts.models import Alert, Delivery, Recipient
from appliance.lib.admin import PostroadAdmin, PostroadInline, display

_SEVERITIES: Final = {str(severity.label): tone for severity, tone in TONES.items()}
_SHOWN: Final = 20
"""Messages shown of a recipient."""
_STATES: Final = {
    DeliveryState.WAITING.label: "info",
    DeliveryState.SENT.label: "success",
    DeliveryState.FAILED.label: "danger",
    DeliveryState.NEEDLESS.label: "",
}
_A_TEST_TAKES: Final = timedelta(seconds=30)


class DeliveryInline(PostroadInline):
    """Who was told, or what hinders it."""

    model = Delivery
    fields = ("show_when", "occasion", "show_to", "show_state", "attempts", "last_error")
    readonly_fields = fields
    verbose_name_plural = "Messages"
    hide_title = True
    tab = False
    can_delete = False

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Delivery]":
        """Leave secrets where they are."""
        rows: QuerySet[Delivery] = super().get_queryset(request)
        return rows.select_related("recipient").defer(
            "recipient__webhook_url", "recipient__webhook_secret"
        )

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Written by the service."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """What was said was said."""
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who may see the alert may see who was told."""
        return request.user.has_perm("alerts.view_alert")

    @display(description="When")
    def show_when(self, delivery: Delivery) -> str:
        """Say when it was decided."""
        return f"{timezone.localtime(delivery.created_at):%Y-%m-%d %H:%M:%S}"

    @display(description="To")
    def show_to(self, delivery: Delivery) -> str:
        """Say where it goes."""
        return delivery.shown_target

    @display(description="State", label=_STATES)
    def show_state(self, delivery: Delivery) -> str:
        """Give the state as a label."""
        return str(delivery.get_state_display())


class RecipientDeliveryInline(DeliveryInline):
    """The last messages to one."""

    fields = ("show_when", "show_about", "occasion", "show_to", "show_state", "last_error")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Delivery]":
        """Give the last ones."""
        match = request.resolver_match
        key = match.kwargs.get("object_id") if match else None
        mine = Delivery.objects.filter(recipient=key).values_list("pk", flat=True)[:_SHOWN]
        return super().get_queryset(request).filter(pk__in=list(mine)).select_related("alert")

    @display(description="About")
    def show_about(self, delivery: Delivery) -> str:
        """Name the alert."""
        return str(delivery.alert or "a test")


class OpenFilter(admin.SimpleListFilter):
    """What is so now, or was."""

    title = "now"
    parameter_name = "now"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Give the two halves."""
        return [("yes", "Is so now"), ("no", "Is over")]

    def queryset(self, request: HttpRequest, queryset: "QuerySet[Any]") -> "QuerySet[Any]":
        """Keep one half."""
        if self.value() not in ("yes", "no"):
            return queryset
        return queryset.filter(cleared_at__isnull=self.value() == "yes")


class KindFilter(admin.SimpleListFilter):
    """Of which kind."""

    title = "kind"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Give the kinds that are declared."""
        return [(kind.name, kind.title) for kind in registry.kinds()]

    def queryset(self, request: HttpRequest, queryset: "QuerySet[Any]") -> "QuerySet[Any]":
        """Keep one kind."""
        return queryset.filter(kind=self.value()) if self.value() else queryset


@admin.register(Alert)
class AlertAdmin(PostroadAdmin):
    """What is wrong now, and what was."""

    empty_text = "Nothing is wrong, and nothing was. What is noticed stands here until it is over."
    list_display = ("show_severity", "show_title", "about", "text", "show_since", "show_over")
    list_display_links = ("show_title",)
    list_filter = (OpenFilter, KindFilter, "severity")
    search_fields = ("about", "text", "kind")
    list_before_template = "alerts/alert_list_head.html"
    change_form_outer_before_template = "alerts/alert_facts.html"
    inlines = (DeliveryInline,)
    fields = ()

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Raised by who notices."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """It is over when it is."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """History is forgotten by itself."""
        return False

    @display(description="Severity", ordering="severity", label=_SEVERITIES | {"Over": "success"})
    def show_severity(self, alert: Alert) -> str:
        """Say how bad it is."""
        return str(Severity(alert.severity).label) if alert.is_open else "Over"

    @display(description="What", ordering="kind")
    def show_title(self, alert: Alert) -> str:
        """Name the kind."""
        return alert.title

    @display(description="Since", ordering="since")
    def show_since(self, alert: Alert) -> str:
        """Say since when, and how often it came back."""
        since = f"{timezone.localtime(alert.since):%Y-%m-%d %H:%M}"
        return f"{since}, {alert.times} times" if alert.times > 1 else since

    @display(description="Lasted", ordering="cleared_at")
    def show_over(self, alert: Alert) -> str:
        """Say how long it lasts or lasted."""
        return timesince(alert.since, alert.cleared_at or timezone.now(), depth=1)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Say above the list how things stand, and whether anybody would hear of it."""
        context = {
            **(extra_context or {}),
            "title": "What is wrong",
            "standing": queries.standing(),
            "troubled": queries.troubled(),
            "has_recipients": queries.recipients().exists(),
            "may_add": request.user.has_perm("alerts.add_recipient"),
        }
        response: HttpResponse = super().changelist_view(request, context)
        return response

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show what it is above who was told."""
        alert = self.get_object(request, object_id)
        context = dict(extra_context or {})
        if alert is not None:
            context |= {
                "alert": alert,
                "kind": registry.kind(alert.kind),
                "tone": alert.tone,
                "label": alert.get_severity_display() if alert.is_open else "Over",
            }
        response: HttpResponse = super().change_view(request, object_id, form_url, context)
        return response


@admin.register(Recipient)
class RecipientAdmin(PostroadAdmin):
    """Who is told, of what, and how."""

    empty_text = "Nobody is told when something is wrong. Add somebody, by mail or by webhook."
    form = RecipientForm
    list_display = ("name", "way", "show_target", "show_what", "show_state", "enabled")
    search_fields = ("name", "webhook_host")
    inlines = (RecipientDeliveryInline,)
    change_form_outer_before_template = "alerts/recipient_test.html"
    fieldsets = (
        (None, {"fields": ("name", "way", "enabled")}),
        ("Mail", {"fields": ("addresses",), "classes": ("pr-told-mail",)}),
        ("Webhook", {"fields": ("webhook_url", "webhook_secret"), "classes": ("pr-told-webhook",)}),
        ("What is told", {"fields": ("severity", "kinds", "remind_h", "tell_cleared")}),
    )

    def get_queryset(self, request: HttpRequest) -> Any:
        """Leave secrets where they are."""
        return super().get_queryset(request).defer("webhook_url", "webhook_secret")

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        """Nobody new was told anything."""
        return self.inlines if obj is not None else ()

    def get_urls(self) -> list[URLPattern]:
        """Add the test."""
        view = self.admin_site.admin_view(self.test_view)
        return [path("<int:pk>/test/", view, name="alerts_recipient_test"), *super().get_urls()]

    @display(description="To")
    def show_target(self, recipient: Recipient) -> str:
        """Say where messages go."""
        return recipient.shown_target

    @display(description="What is told")
    def show_what(self, recipient: Recipient) -> str:
        """Name the kinds and the severity."""
        titles = [registry.kind(name).title for name in recipient.kinds]
        what = ", ".join(titles) or "everything"
        return f"{what}, if critical" if recipient.severity == Severity.CRITICAL else what

    @display(description="Last message", empty_value="none yet")
    def show_state(self, recipient: Recipient) -> SafeString | None:
        """Say what became of the last message."""
        last = recipient.deliveries.first()
        if last is None:
            return None
        hinders = bool(last.last_error) and last.state != DeliveryState.SENT
        text = last.last_error if hinders else str(last.get_state_display())
        return format_html('<span class="{}">{}</span>', "pr-text-danger" if hinders else "", text)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Offer a test; while one is on its way, look again by itself."""
        recipient = self.get_object(request, object_id)
        context = dict(extra_context or {})
        is_waiting = False
        if recipient is not None:
            last = recipient.deliveries.filter(alert=None).first()
            is_waiting = (
                last is not None
                and last.state == DeliveryState.WAITING
                and not last.last_error
                and timezone.now() - last.created_at < _A_TEST_TAKES
            )
            context |= {
                "recipient": recipient,
                "last_test": last,
                "is_waiting": is_waiting,
                "is_mail": recipient.way == Way.MAIL,
                "may_test": self.has_change_permission(request, recipient),
            }
        response: HttpResponse = super().change_view(request, object_id, form_url, context)
        if is_waiting and request.method == "GET":
            response["Refresh"] = "1"
        return response

    def test_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Send a test."""
        recipient = get_object_or_404(queries.all_recipients(), pk=pk)
        if not self.has_change_permission(request, recipient):
            raise PermissionDenied
        if request.method == "POST":
            services.send_test(recipient)
            messages.info(request, "A test is on its way.")
        return HttpResponseRedirect(reverse("admin:alerts_recipient_change", args=(pk,)))

    def store(self, obj: Recipient, form: Any) -> None:
        """Write by the service."""
        services.save_recipient(obj)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """What was said was said."""
        formset.save(commit=False)

    def remove(self, objects: Iterable[Recipient]) -> None:
        """Delete by the service."""
        services.delete_recipients(objects)
