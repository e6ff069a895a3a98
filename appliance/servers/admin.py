"""Admin page of the server blocks."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from appliance.lib.admin import PostroadAdmin, PostroadInline, display
from appliance.servers import queries, services
from appliance.servers.choices import AuthService
from appliance.servers.models import (
    AuthHttpHeader,
    Capability,
    Listener,
    ProcessSettings,
    ServerBlock,
)


class ListenerInline(PostroadInline):
    """Where the block listens."""

    model = Listener
    min_num = 1


class CapabilityInline(PostroadInline):
    """What is announced before login."""

    model = Capability
    ordering_field = "position"
    hide_ordering_field = True
    verbose_name_plural = "Capabilities (none: the protocol's default list)"


class AuthHttpHeaderInline(PostroadInline):
    """Headers for another auth service."""

    model = AuthHttpHeader
    verbose_name_plural = "Headers sent to another auth service (auth_http_header)"


_ONLY_EXTERNAL = "auth_service == 'external'"
_ONLY_SMTP = "protocol == 'smtp'"


@admin.register(ServerBlock)
class ServerBlockAdmin(PostroadAdmin):
    """Server blocks with all that belongs to them."""

    empty_text = "A server block says where mail clients connect and how they are treated."
    inlines = (ListenerInline, CapabilityInline, AuthHttpHeaderInline)
    list_display = ("name", "protocol", "show_listeners", "show_auth", "enabled")
    list_filter = ("protocol", "auth_service", "enabled")
    search_fields = ("name", "listeners__address", "listeners__port")
    fieldsets = (
        (None, {"fields": ("name", "enabled", "protocol", "server_names")}),
        (
            "Who decides about logins",
            {
                "fields": (
                    "auth_service",
                    "auth_http",
                    "auth_http_timeout_ms",
                    "auth_http_keepalive",
                    "auth_http_cache_ttl_ms",
                    "auth_http_cache_stale_ms",
                )
            },
        ),
        (
            "Before login",
            {
                "fields": (
                    "timeout_ms",
                    "max_errors",
                    "imap_auth",
                    "imap_client_buffer_bytes",
                    "pop3_auth",
                    "pop3_client_buffer_bytes",
                    "smtp_auth",
                    "smtp_client_buffer_bytes",
                    "smtp_greeting_delay_ms",
                )
            },
        ),
        (
            "Towards the mail server",
            {
                "fields": (
                    "proxy_timeout_ms",
                    "proxy_buffer_bytes",
                    "proxy_pass_error_message",
                    "xclient",
                    "proxy_smtp_auth",
                )
            },
        ),
    )
    conditional_fields = {  # noqa: RUF012  (unfold's own form)
        "auth_http": _ONLY_EXTERNAL,
        "auth_http_timeout_ms": _ONLY_EXTERNAL,
        "auth_http_keepalive": _ONLY_EXTERNAL,
        "auth_http_cache_ttl_ms": _ONLY_EXTERNAL,
        "auth_http_cache_stale_ms": _ONLY_EXTERNAL,
        "imap_auth": "protocol == 'imap'",
        "imap_client_buffer_bytes": "protocol == 'imap'",
        "pop3_auth": "protocol == 'pop3'",
        "pop3_client_buffer_bytes": "protocol == 'pop3'",
        "smtp_auth": _ONLY_SMTP,
        "smtp_client_buffer_bytes": _ONLY_SMTP,
        "smtp_greeting_delay_ms": _ONLY_SMTP,
        "xclient": _ONLY_SMTP,
        "proxy_smtp_auth": _ONLY_SMTP,
    }

    def get_queryset(self, request: HttpRequest) -> "QuerySet[ServerBlock]":
        """Bring the listeners along for the list."""
        blocks: QuerySet[ServerBlock] = super().get_queryset(request)
        return blocks.prefetch_related("listeners")

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

    def store(self, obj: ServerBlock, form: Any) -> None:
        """Write by the service."""
        services.save_block(obj)

    def remove(self, objects: Iterable[ServerBlock]) -> None:
        """Delete by the service."""
        services.delete_blocks(objects)


@admin.register(ProcessSettings)
class ProcessSettingsAdmin(PostroadAdmin):
    """One page for the one row there is."""

    fieldsets = (
        ("Error log", {"fields": ("log_level", "log_target")}),
        (
            "Workers",
            {"fields": ("worker_processes", "worker_connections", "worker_shutdown_timeout_ms")},
        ),
        ("Syslog", {"fields": ("syslog_facility", "syslog_tag", "syslog_hostname")}),
        ("Started as root", {"fields": ("user", "group", "pid")}),
    )
    conditional_fields = dict.fromkeys(
        ("syslog_facility", "syslog_tag", "syslog_hostname"), "log_target.startsWith('syslog:')"
    )

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
