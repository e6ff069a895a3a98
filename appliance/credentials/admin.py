"""Admin pages of accounts, what they prove themselves with, and whom we ask about passwords."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone

from appliance.credentials import queries, services
from appliance.credentials.forms import (
    AccountForm,
    AppPasswordForm,
    NewAppPasswordForm,
    VerifierForm,
)
from appliance.credentials.models import AppPassword, RecoverableSecret
from appliance.history import shown as history
from appliance.history.models import LastLogin
from appliance.lib import schemes
from appliance.lib.admin import PostroadAdmin, PostroadInline, display
from appliance.lib.hashing import is_ours
from appliance.lib.long_lists import LongListAdmin, beginning_with
from appliance.routing import queries as aliases
from appliance.routing import services as routing
from appliance.routing.models import Account, Verifier

_HERE = "Postroad"
_MAIL_SERVER = "mail server"
_READABLE = "readable"


class AppPasswordInline(PostroadInline):
    """App passwords there are: their scope can be changed, and they can be revoked."""

    model = AppPassword
    form = AppPasswordForm
    fields = (
        *("name", "networks", "imap_enabled", "pop3_enabled", "smtp_enabled"),
        *("show_expiry", "show_last_used"),
    )
    readonly_fields = ("show_expiry", "show_last_used")
    verbose_name_plural = "App passwords"
    tab = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """New ones are made on their own page, which shows the password once."""
        return False

    @display(description="Expires")
    def show_expiry(self, one: AppPassword) -> str:
        """Say until when it is good."""
        if one.expires_at is None:
            return "never"
        when = f"{timezone.localtime(one.expires_at):%Y-%m-%d %H:%M}"
        return f"expired {when}" if one.is_expired else when

    @display(description="Last used")
    def show_last_used(self, one: AppPassword) -> str:
        """Say when and from where."""
        if one.last_used_at is None:
            return "never"
        when = timezone.localtime(one.last_used_at)
        return f"{when:%Y-%m-%d %H:%M} from {one.last_used_ip or 'unknown'}"


@admin.register(Account)
class AccountAdmin(LongListAdmin, PostroadAdmin):
    """Logins of which something is known."""

    empty_text = (
        "Accounts are needed only for logins with a password, a mail host or limits of their own."
    )
    form = AccountForm
    inlines = (AppPasswordInline,)
    list_display = ("login", "show_verifier", "show_readable", "mail_host", "show_last", "enabled")
    list_filter = ("enabled", "mail_host", "verifier")
    list_select_related = ("mail_host", "verifier")
    list_key = "login"
    search_fields = ("login",)
    search_help_text = "Beginning of a login, or @domain"
    list_before_template = "credentials/account_list_help.html"
    change_form_outer_before_template = "credentials/account_status.html"
    fieldsets = (
        (None, {"fields": ("login", "enabled", "mail_host", "back_login")}),
        (
            "Password",
            {
                "fields": (
                    *("password", "imported_hash", "forget_password"),
                    *("recoverable", "verifier"),
                )
            },
        ),
        (
            "May be used",
            {"fields": (("imap_enabled", "pop3_enabled", "smtp_enabled"), "networks")},
        ),
    )

    @display(description="Password verified by", label={_HERE: "success", _MAIL_SERVER: ""})
    def show_verifier(self, account: Account) -> str:
        """Say who verifies the password."""
        if account.verifier is not None:
            return account.verifier.name
        return _HERE if account.password_hash else _MAIL_SERVER

    @display(description="Stored password", label={_READABLE: "warning"})
    def show_readable(self, account: Account) -> str | None:
        """Mark accounts whose password could be read back."""
        return _READABLE if account.is_readable else None  # type: ignore[attr-defined]

    @display(description="Last login", empty_value="–")
    def show_last(self, account: Account) -> str | None:
        """Say when it was last let in, by the sessions that have ended."""
        at = account.last_login_at  # type: ignore[attr-defined]
        return f"{timezone.localtime(at):%Y-%m-%d %H:%M}" if at else None

    def get_queryset(self, request: HttpRequest) -> Any:
        """Leave the date out that no list shows, and mark readable passwords."""
        readable = RecoverableSecret.objects.filter(account=OuterRef("pk"))
        last = LastLogin.objects.filter(account=OuterRef("login")).values("at")
        rows = super().get_queryset(request).defer("created_at")
        return rows.annotate(is_readable=Exists(readable), last_login_at=Subquery(last[:1]))

    def get_search_results(
        self, request: HttpRequest, queryset: "QuerySet[Account]", search_term: str
    ) -> "tuple[QuerySet[Account], bool]":
        """Look by an index for what begins so; only for a domain are all logins read."""
        wanted = routing.normalise_login(search_term)
        if wanted.startswith("@"):
            return queryset.filter(login__endswith=wanted), False
        return (queryset.filter(beginning_with("login", wanted)) if wanted else queryset), False

    def store(self, obj: Account, form: Any) -> None:
        """Write by the service, with what the form says of the password."""
        given = form.cleaned_data
        services.save_account(
            obj,
            password=given.get("password"),
            imported_hash=given.get("imported_hash"),
            forget_password=given.get("forget_password", False),
            recoverable=given.get("recoverable", False),
        )

    def remove(self, objects: Iterable[Account]) -> None:
        """Delete by the service."""
        routing.delete(objects)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """Hand rows over to the services."""
        formset.save(commit=False)
        for one in formset.changed_objects:
            services.save_app_password(one[0])
        services.revoke_app_passwords(formset.deleted_objects)

    # --- pages ------------------------------------------------------------------------------------

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        """A new account has no app passwords yet."""
        return self.inlines if obj is not None else ()

    def get_urls(self) -> list[URLPattern]:
        """Add the page that makes an app password."""
        view = self.admin_site.admin_view(self.app_password_view)
        own = path("<int:pk>/app-password/", view, name="routing_account_app_password")
        return [own, *super().get_urls()]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show above the form how the account proves itself now."""
        account = self.get_object(request, object_id)
        context = dict(extra_context or {})
        if account is not None:
            context |= {
                "account": account,
                "verified_by": self.show_verifier(account),
                "scheme": _scheme(account),
                "is_readable": queries.has_recoverable_secret(account),
                "may_change": self.has_change_permission(request, account),
            }
            if request.user.has_perm("history.view_sessionrecord"):
                logins = aliases.alias_logins([account.login])
                context["sessions"] = history.of_account(account.login, logins)
        response: HttpResponse = super().change_view(request, object_id, form_url, context)
        return response

    def app_password_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Make an app password, and show it in this answer and nowhere else."""
        account = get_object_or_404(Account, pk=pk)
        if not self.has_change_permission(request, account):
            raise PermissionDenied
        form = NewAppPasswordForm(request.POST or None, instance=AppPassword(account=account))
        context = {
            **self.admin_site.each_context(request),
            "title": f"App password for {account}",
            "opts": self.opts,
            "account": account,
            "form": form,
        }
        if request.method == "POST" and form.is_valid():
            secret = services.issue_app_password(form.instance)
            messages.success(request, f"The app password {form.instance} was made.")
            context |= {
                "app_password": form.instance,
                "protocols": ", ".join(form.instance.protocols) or "no protocol",
                "secret": secret.reveal(),
            }
            # admin_view forbids every cache to keep it
            return TemplateResponse(request, "credentials/app_password_shown.html", context)
        return TemplateResponse(request, "credentials/app_password_new.html", context)


def _scheme(account: Account) -> str:
    """Say how a stored password is hashed."""
    if not account.password_hash:
        return ""
    if is_ours(account.password_hash):
        return "argon2id"
    name = schemes.split(account.password_hash)[0]
    return "PLAIN, encrypted" if name == "ENCRYPTED" else name


@admin.register(Verifier)
class VerifierAdmin(PostroadAdmin):
    """Others who know whether a password is right."""

    form = VerifierForm
    list_display = ("name", "kind", "show_place", "timeout_ms")
    list_select_related = ("mail_host",)
    search_fields = ("name", "url")
    autocomplete_fields = ("mail_host",)
    conditional_fields = {  # noqa: RUF012  (unfold's own form)
        **dict.fromkeys(("mail_host", "protocol"), "kind == 'mail_host'"),
        **dict.fromkeys(("url", "header", "secret"), "kind == 'auth_http'"),
    }

    @display(description="Asks")
    def show_place(self, verifier: Verifier) -> str:
        """Say who is asked."""
        if verifier.url:
            return verifier.url
        return str(verifier.mail_host or "the mail host the login goes to")

    def store(self, obj: Verifier, form: Any) -> None:
        """Write by the service."""
        routing.save_verifier(obj)

    def remove(self, objects: Iterable[Verifier]) -> None:
        """Delete by the service."""
        routing.delete(objects)
