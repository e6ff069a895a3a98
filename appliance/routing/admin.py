"""Admin pages of mail hosts and routes. Accounts are with the credentials app."""

from collections.abc import Iterable
from contextvars import ContextVar
from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html

from appliance.lib.admin import PostroadAdmin, display
from appliance.routing import queries, services
from appliance.routing.choices import HostState, RouteAction
from appliance.routing.forms import DomainAliasForm, MailHostForm, RouteForm
from appliance.routing.health import policy
from appliance.routing.health import queries as health
from appliance.routing.models import DomainAlias, MailHost, Route
from proxycore.contract.protocol import Protocol

_UNREACHABLE = "never"
_CLEAR = "in clear"
_TLS = "TLS, verified"
_HEALTH: ContextVar[dict[int, list[policy.Standing]] | None] = ContextVar("health", default=None)
_TAKERS: ContextVar[dict[int, Route]] = ContextVar("takers")


class RoutingAdmin(PostroadAdmin):
    """Deletes by the service, which counts the change."""

    def remove(self, objects: Iterable[Any]) -> None:
        """Delete by the service."""
        services.delete(objects)


@admin.register(MailHost)
class MailHostAdmin(RoutingAdmin):
    """The mail servers behind the proxy."""

    empty_text = "A mail host is a mail server behind the proxy. Routes lead to it."
    form = MailHostForm
    delete_confirmation_template = "routing/mailhost_delete.html"
    delete_selected_confirmation_template = "routing/mailhost_delete_selected.html"
    list_display = (
        *("name", "address", "show_state", "show_health", "weight"),
        *("show_ports", "show_tls"),
    )
    change_form_outer_before_template = "routing/mailhost_health.html"
    list_filter = ("state",)
    search_fields = ("name", "address", "tls_name")
    fieldsets = (
        (None, {"fields": ("name", "address", "state", "hold", "weight")}),
        ("Ports", {"fields": (("imap_port", "pop3_port", "smtp_port"),)}),
        (
            "TLS",
            {
                "fields": ("imap_tls", "pop3_tls", "smtp_tls", "tls_name"),
                "description": "Its certificate is verified, and a mail server that does not prove"
                " itself is sent no password.",
            },
        ),
        ("Health", {"fields": (("is_probed", "use_health"),)}),
    )

    @display(
        description="State",
        label={HostState.UP: "success", HostState.DRAINING: "warning", HostState.DOWN: "danger"},
    )
    def show_state(self, host: MailHost) -> str:
        """Say whether it takes logins."""
        return host.state

    @display(description="IMAP, POP3, SMTP")
    def show_ports(self, host: MailHost) -> str:
        """Give its ports."""
        return f"{host.imap_port}, {host.pop3_port}, {host.smtp_port}"

    @display(description="Probes")
    def show_health(self, host: MailHost) -> str:
        """Say what probes found, and lead to the page that says more."""
        known = self._known(host)
        text, tone = policy.summed_up(known, timezone.now()) if known else ("not probed", "")
        url = reverse("backend", args=(host.pk,))
        return format_html(
            '<a class="pr-link pr-{}" href="{}">{}</a>',
            f"text-{tone}" if tone else "faint",
            url,
            text,
        )

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Look once for the whole list at what probes found."""
        known = _HEALTH.set(None)
        try:
            response = super().changelist_view(request, extra_context)
            # rendered here, while it is known
            return response.render() if isinstance(response, TemplateResponse) else response
        finally:
            _HEALTH.reset(known)

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Look at those that are shown."""
        found = super().get_changelist_instance(request)
        _HEALTH.set(health.summary(found.result_list))
        return found

    def _known(self, host: MailHost) -> list[policy.Standing]:
        return (_HEALTH.get() or {}).get(host.pk, [])

    @display(description="TLS", label={_CLEAR: "warning", _TLS: "success"})
    def show_tls(self, host: MailHost) -> str:
        """Say whether passwords are sent to it in clear."""
        modes = {host.proxy_ssl(protocol) for protocol in Protocol}
        if "off" in modes:
            return _CLEAR if modes == {"off"} else "in part in clear"
        return _TLS if None not in modes else "as the server block says"

    def store(self, obj: MailHost, form: Any) -> None:
        """Write by the service."""
        services.save_mail_host(obj)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Warn of passwords in clear, and of a name that nobody knows."""
        super().save_model(request, obj, form, change)
        for found, problem in health.addresses(obj):
            if not found:
                text = f"{obj}: {problem}. Its logins are asked to try again until it does."
                messages.warning(request, text)
        clear = [one for one in Protocol if obj.proxy_ssl(one) == "off"]
        if clear and not obj.is_on_this_machine:
            names = ", ".join(one.value.upper() for one in clear)
            text = f"{names}: passwords are sent to {obj} in clear. Choose TLS if it can."
            messages.warning(request, text)


def _when(moment: datetime) -> str:
    return f"{timezone.localtime(moment):%Y-%m-%d %H:%M}"


@admin.register(Route)
class RouteAdmin(RoutingAdmin):
    """Who goes where, in the order tried."""

    empty_text = (
        "A route says which logins go to which mail host. Without any, every login is refused."
    )
    form = RouteForm
    list_display = (
        *("position", "match", "show_value", "protocol", "mail_host", "show_limits", "enabled"),
        "show_reached",
    )
    fieldsets = (
        (
            None,
            {"fields": ("match", "value", "protocol", ("position", "enabled"))},
        ),
        ("Goes to", {"fields": ("action", "mail_host", "others")}),
        ("Only for some, only for a time", {"fields": ("percent", "starts_at", "ends_at")}),
        ("Login at the mail server", {"fields": ("rewrite", "rewrite_to")}),
    )
    list_display_links = ("match", "show_value")
    list_filter = ("match", "protocol", "mail_host", "enabled")
    list_select_related = ("mail_host",)
    search_fields = ("value", "mail_host__name")
    list_before_template = "admin/routing/try_login.html"
    conditional_fields = {  # noqa: RUF012  (unfold's own form)
        "value": "match != 'default'",
        "rewrite_to": "rewrite == 'add' || rewrite == 'fixed'",
    }

    @display(description="Value", empty_value="anybody")
    def show_value(self, route: Route) -> str | None:
        """Give the value, or what its absence means."""
        return route.value or None

    @display(description="More mail hosts")
    def others(self, route: Route) -> str:
        """Name them, for those who may not choose them."""
        hosts = queries.shares(route.pk) if route.is_spread else ()
        return ", ".join(map(str, hosts)) or "none"

    @display(description="Only")
    def show_limits(self, route: Route) -> str | None:
        """Say for how many, until when, and whether logins are held."""
        limits = [] if route.percent == 100 else [f"{route.percent} %"]
        if route.starts_at is not None:
            limits.append(f"from {_when(route.starts_at)}")
        if route.ends_at is not None:
            limits.append(f"until {_when(route.ends_at)}")
        if route.action != RouteAction.SEND:
            limits.append("holds logins")
        return ", ".join(limits) or None

    @display(description="Reached", label={_UNREACHABLE: "warning"})
    def show_reached(self, route: Route) -> tuple[str, str] | None:
        """Mark a route that an earlier one always goes before."""
        taker = self._takers().get(route.pk)
        if taker is None:
            return None
        return _UNREACHABLE, f"never: {taker.position} goes before"

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Look once for the whole list at what is reached."""
        known = _TAKERS.set(queries.unreachable())
        try:
            response = super().changelist_view(request, extra_context)
            # rendered here, while it is known
            return response.render() if isinstance(response, TemplateResponse) else response
        finally:
            _TAKERS.reset(known)

    def _takers(self) -> dict[int, Route]:
        return _TAKERS.get()

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Say at once when the route has no effect."""
        super().save_model(request, obj, form, change)
        taker = queries.unreachable().get(obj.pk)
        if taker is not None:
            text = (
                f"This route is never reached: route {taker.position}, {taker}, goes before it"
                " for every login it could take. Give it a smaller position."
            )
            messages.warning(request, text)

    def store(self, obj: Route, form: Any) -> None:
        """Write by the service."""
        services.save_route(obj, form.cleaned_data["others"])


@admin.register(DomainAlias)
class DomainAliasAdmin(RoutingAdmin):
    """Domains that are another name of one."""

    empty_text = "An alias domain is another name of a domain: joe@alias is joe@domain."
    form = DomainAliasForm
    list_display = ("domain", "target")
    search_fields = ("domain", "target")

    def store(self, obj: DomainAlias, form: Any) -> None:
        """Write by the service."""
        services.save_alias(obj)
