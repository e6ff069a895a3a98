"""Admin page of the server blocks."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from unfold.admin import StackedInline

from appliance.certs import queries as certificates
from appliance.lib.admin import PostroadAdmin, PostroadInline, SecretModelForm, display
from appliance.servers import capabilities, layout, queries, services
from appliance.servers.choices import AuthService
from appliance.servers.forms import ListenerFormSet, ServerBlockForm
from appliance.servers.models import (
    AuthHttpHeader,
    BlockLog,
    Capability,
    Listener,
    ProcessSettings,
    ServerBlock,
    TicketKey,
)


class ListenerInline(StackedInline):  # type: ignore[misc]
    """Where the block listens."""

    model = Listener
    form = SecretModelForm
    formset = ListenerFormSet
    min_num = 1
    extra = 0
    fieldsets = layout.LISTENER_FIELDSETS


class CapabilityInline(PostroadInline):
    """What is announced before login."""

    model = Capability
    ordering_field = "position"
    hide_ordering_field = True
    verbose_name_plural = (
        "Capabilities, in the order announced: drag to sort (none: the protocol's default list)"
    )


class AuthHttpHeaderInline(PostroadInline):
    """Headers for another auth service."""

    model = AuthHttpHeader
    verbose_name_plural = "Headers sent to another auth service (auth_http_header)"


class BlockLogInline(PostroadInline):
    """Where the block writes."""

    model = BlockLog
    fields = (
        *("kind", "target", "level"),
        *("syslog_facility", "syslog_tag", "syslog_hostname"),
    )
    verbose_name_plural = "Logs of its own (none: those of the node processes)"


class TicketKeyInline(PostroadInline):
    """Keys that let a session be resumed at another node."""

    model = TicketKey
    verbose_name = "session ticket key"
    verbose_name_plural = (
        "Session ticket keys for all nodes, the first encrypts (none: each node makes its own)"
    )


_UNVERIFIED = (
    "proxy_ssl_verify is off: whoever stands between a node and a mail server can pose as it and"
    " read every password. Give the authority or a pin instead."
)


@admin.register(ServerBlock)
class ServerBlockAdmin(PostroadAdmin):
    """Server blocks with all that belongs to them."""

    empty_text = "A server block says where mail clients connect and how they are treated."
    inlines = (
        ListenerInline,
        CapabilityInline,
        AuthHttpHeaderInline,
        BlockLogInline,
        TicketKeyInline,
    )
    list_display = ("name", "protocol", "show_listeners", "show_auth", "enabled")
    list_filter = ("protocol", "auth_service", "enabled")
    search_fields = ("name", "listeners__address", "listeners__port")
    form = ServerBlockForm
    fieldsets = layout.FIELDSETS
    conditional_fields = layout.CONDITIONS
    change_form_after_template = "servers/capability_names.html"

    class Media:
        """Suggestions."""

        js = ("servers/capabilities.js",)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Bring the names of capabilities along."""
        names = [(one.value, known) for one, known in capabilities.REGISTERED.items()]
        context = {"capability_names": names, **(extra_context or {})}
        response: HttpResponse = super().changeform_view(request, object_id, form_url, context)
        return response

    def get_queryset(self, request: HttpRequest) -> "QuerySet[ServerBlock]":
        """Bring the listeners along for the list."""
        blocks: QuerySet[ServerBlock] = super().get_queryset(request)
        return blocks.prefetch_related("listeners", "groups")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Leave out what can be chosen among none: who has none need not know of it."""
        missing = [] if queries.has_groups() else ["groups"]
        if not (self._may_save(request, obj) and certificates.has_authorities()):
            missing.append("private_authority")
        return layout.without(*missing)

    def _may_save(self, request: HttpRequest, obj: Any) -> bool:
        if obj is None:
            return bool(self.has_add_permission(request))
        return bool(self.has_change_permission(request, obj))

    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        """Say which nodes run a block, where not all do."""
        shown = self.list_display
        return (*shown[:-1], "show_groups", *shown[-1:]) if queries.has_groups() else shown

    @display(description="Runs on")
    def show_groups(self, block: ServerBlock) -> str:
        """Name the groups of nodes."""
        return ", ".join(one.name for one in block.groups.all()) or "every node"

    @display(description="Listens on")
    def show_listeners(self, block: ServerBlock) -> str:
        """Name the sockets."""
        return ", ".join(map(str, block.listeners.all())) or "nowhere"

    @display(description="Auth service")
    def show_auth(self, block: ServerBlock) -> str:
        """Name the auth service."""
        if block.auth_service == AuthService.BUILTIN:
            return "Postroad"
        return block.auth_http

    @display(description="Certificates")
    def certificates(self, block: ServerBlock) -> str:
        """Name the certificates, for those who may not choose them."""
        chosen = block.chosen.select_related("certificate")
        return ", ".join(str(one.certificate) for one in chosen) or "none"

    def store(self, obj: ServerBlock, form: Any) -> None:
        """Write by the service, with the certificates chosen."""
        services.save_block(obj)
        services.choose_certificates(obj, list(form.cleaned_data["certificates"]))
        if "groups" in form.cleaned_data:
            services.choose_groups(obj, list(form.cleaned_data["groups"]))

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Warn of what lets others read along."""
        super().save_model(request, obj, form, change)
        if not obj.proxy_ssl_verify:
            messages.warning(request, _UNVERIFIED)

    def remove(self, objects: Iterable[ServerBlock]) -> None:
        """Delete by the service."""
        services.delete_blocks(objects)


@admin.register(ProcessSettings)
class ProcessSettingsAdmin(PostroadAdmin):
    """One page for the one row there is."""

    fieldsets = (
        (
            "Error log",
            {
                "fields": (
                    *("log_level", "log_target"),
                    *("syslog_facility", "syslog_tag", "syslog_hostname"),
                )
            },
        ),
        (
            "Workers",
            {"fields": ("worker_processes", "worker_connections", "worker_shutdown_timeout_ms")},
        ),
        (
            "Sessions that have not logged in",
            {"fields": ("prelogin_sessions", "prelogin_sessions_per_address", "prelogin_exempt")},
        ),
        (
            "Access log",
            {
                "fields": (
                    "access_log_target",
                    "access_log_syslog_facility",
                    "access_log_syslog_tag",
                    "access_log_syslog_hostname",
                )
            },
        ),
        ("Started as root", {"fields": ("user", "group", "pid")}),
    )
    conditional_fields = {  # noqa: RUF012  (unfold's own form)
        f"{prefix}{name}": f"{log}.startsWith('syslog:')"
        for log, prefix in (("log_target", ""), ("access_log_target", "access_log_"))
        for name in ("syslog_facility", "syslog_tag", "syslog_hostname")
    }

    def has_add_permission(self, request: HttpRequest) -> bool:
        """There is one."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """There is always one."""
        return False

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> ProcessSettings:
        """Give the row, or the defaults while there is none."""
        return queries.process_settings()

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the form where the list of one row would be."""
        context = {
            "title": "Node processes",
            "show_save_and_continue": False,
            **(extra_context or {}),
        }
        return self.changeform_view(request, str(queries.PROCESS_ROW), "", context)  # type: ignore[no-any-return]

    def response_change(self, request: HttpRequest, obj: ProcessSettings) -> HttpResponse:
        """Stay on the page."""
        messages.success(request, "The settings are in the draft. Nodes take them once published.")
        return HttpResponseRedirect(reverse("admin:servers_processsettings_changelist"))

    def store(self, obj: ProcessSettings, form: Any) -> None:
        """Write by the service."""
        services.save_process(obj)
