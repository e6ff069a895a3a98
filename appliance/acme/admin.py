"""Admin pages of what is issued by itself: accounts, automatic certificates, DNS solvers."""

from collections.abc import Callable, Iterable
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone

from appliance.acme import queries
from appliance.acme.choices import AccountState, ChallengeType, Reason, SolverKind
from appliance.acme.forms import AccountForm, IssuanceForm, RevokeForm, SolverForm
from appliance.acme.models import Account, DnsSolver, Issuance
from appliance.acme.services import accounts, issuances, revocations
from appliance.lib.admin import PostroadAdmin, display

_TONES = {tone: tone for tone in ("success", "warning", "danger", "info")}
_ACCOUNT_TONES = {
    AccountState.NEW: "info",
    AccountState.VALID: "success",
    AccountState.ROLLING: "info",
    AccountState.REFUSED: "danger",
}


class _Acting(PostroadAdmin):
    """A page with buttons that do something to its object."""

    def act(
        self, request: HttpRequest, pk: int, act: Callable[[Any], str], *, page: str
    ) -> HttpResponse:
        """Do it, say so, and go back to the page of the object."""
        found = get_object_or_404(self.model, pk=pk)
        if not self.has_change_permission(request, found):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        messages.success(request, act(found))
        return HttpResponseRedirect(reverse(page, args=(pk,)))


@admin.register(Account)
class AccountAdmin(_Acting):
    """Accounts at CAs."""

    empty_text = "An account at a certificate authority asks it for certificates. Add one here."
    form = AccountForm
    list_display = ("name", "directory_url", "show_state", "show_uses")
    search_fields = ("name", "directory_url")
    change_form_outer_before_template = "acme/account_status.html"
    fieldsets = (
        (None, {"fields": ("name", "directory_url", "contact", "terms_agreed")}),
        ("External account binding, where the CA wants it", {"fields": ("eab_kid", "eab_key")}),
        ("A CA of your own", {"fields": ("ca_bundle",)}),
    )

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Account]":
        """Leave keys where they are."""
        rows: QuerySet[Account] = super().get_queryset(request)
        return rows.defer("private_key", "next_key").prefetch_related("issuances")

    @display(description="State", label={str(s.label): t for s, t in _ACCOUNT_TONES.items()})
    def show_state(self, account: Account) -> str:
        """Say what the CA thinks of it."""
        return str(account.get_state_display())

    @display(description="Used by", empty_value="nothing yet")
    def show_uses(self, account: Account) -> str | None:
        """Name what is issued with it."""
        return ", ".join(map(str, account.issuances.all())) or None

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show above the form how it stands."""
        account = self.get_object(request, object_id)
        context = dict(extra_context or {})
        if account is not None:
            context |= {
                "account": account,
                "tone": _ACCOUNT_TONES[AccountState(account.state)],
                "terms_link": account.terms_url.startswith(("https://", "http://")),
                "may_change": self.has_change_permission(request, account),
            }
        response: HttpResponse = super().change_view(request, object_id, form_url, context)
        return response

    def get_urls(self) -> list[URLPattern]:
        """Add what the buttons do."""
        site = self.admin_site.admin_view
        own = [
            path("<int:pk>/register/", site(self.register_view), name="acme_account_register"),
            path("<int:pk>/change-key/", site(self.key_view), name="acme_account_key"),
        ]
        return [*own, *super().get_urls()]

    def register_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Register once more."""

        def register(account: Account) -> str:
            accounts.register_again(account)
            return "The CA is being asked."

        return self.act(request, pk, register, page="admin:acme_account_change")

    def key_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Change the account's key."""

        def change(account: Account) -> str:
            accounts.change_key(account)
            return "The CA is being told the new key."

        return self.act(request, pk, change, page="admin:acme_account_change")

    def store(self, obj: Account, form: Any) -> None:
        """Write by the service."""
        accounts.save(obj)

    def remove(self, objects: Iterable[Account]) -> None:
        """Delete by the service."""
        accounts.delete(objects)


@admin.register(Issuance)
class IssuanceAdmin(_Acting):
    """Certificates that are issued and renewed by themselves."""

    empty_text = (
        "A certificate that a certificate authority issues and renews by itself. It needs an ACME"
        " account first."
    )
    form = IssuanceForm
    list_display = ("name", "show_names", "show_state", "show_left", "show_next", "account")
    list_select_related = ("account",)
    search_fields = ("name", "names")
    change_form_outer_before_template = "acme/issuance_status.html"
    fieldsets = (
        (None, {"fields": ("name", "names", "account", "enabled", "adopt")}),
        ("Proof", {"fields": ("challenge", "solver")}),
        ("Keys", {"fields": ("keys", "reuse_key")}),
        ("Renewal", {"fields": ("renew", "publish_automatically")}),
        ("Special wishes", {"fields": ("preferred_chain", "profile")}),
    )
    conditional_fields = {  # noqa: RUF012  (unfold's own form)
        "solver": f"challenge == '{ChallengeType.DNS_01}'"
    }

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Issuance]":
        """Leave the account's keys where they are."""
        rows: QuerySet[Issuance] = super().get_queryset(request)
        return rows.select_related("account").defer(
            *(f"account__{name}" for name in ("private_key", "next_key", "eab_key"))
        )

    # --- columns ----------------------------------------------------------------------------------

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Look once for the whole list at how everything stands."""
        changelist = super().get_changelist_instance(request)
        shown = list(changelist.result_list)
        known = queries.standings(shown)
        for issuance in shown:
            issuance.standings = known[issuance.pk]
        changelist.result_list = shown
        return changelist

    def _standings(self, issuance: Issuance) -> list[queries.Standing]:
        known: list[queries.Standing] | None = getattr(issuance, "standings", None)
        return queries.standings([issuance])[issuance.pk] if known is None else known

    @display(description="Names")
    def show_names(self, issuance: Issuance) -> str:
        """Give the first few."""
        more = f" and {len(issuance.names) - 3} more" if len(issuance.names) > 3 else ""
        return ", ".join(issuance.names[:3]) + more

    @display(description="State", label=_TONES)
    def show_state(self, issuance: Issuance) -> tuple[str, str]:
        """Give the worst of its certificates."""
        if not issuance.enabled:
            return "", "switched off"
        worst = queries.worst(self._standings(issuance))
        return (worst.tone, worst.label) if worst else ("info", "not ordered yet")

    @display(description="Valid", empty_value="no certificate yet")
    def show_left(self, issuance: Issuance) -> str | None:
        """Say how long the one that ends first is valid."""
        ends = [one.variant.not_after for one in self._standings(issuance) if one.variant.not_after]
        if not ends:
            return None
        left = (min(ends) - timezone.now()).days
        return f"until {min(ends):%Y-%m-%d}, {left} days left"

    @display(description="Next step", empty_value="none")
    def show_next(self, issuance: Issuance) -> str | None:
        """Say when something happens by itself."""
        moments = [one.next_at for one in self._standings(issuance) if one.next_at]
        return f"{timezone.localtime(min(moments)):%Y-%m-%d %H:%M}" if moments else None

    # --- pages ------------------------------------------------------------------------------------

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show above the form how it stands, step by step."""
        issuance = self.get_object(request, object_id)
        context = dict(extra_context or {})
        if issuance is not None:
            standings = self._standings(issuance)
            context |= {
                "issuance": issuance,
                "standings": standings,
                "revocations": issuance.revocations.select_related("author")[:5],
                "may_change": self.has_change_permission(request, issuance),
                "may_revoke": any(one.variant.fingerprint for one in standings),
                "is_open": any(one.is_open for one in standings),
            }
        response: HttpResponse = super().change_view(request, object_id, form_url, context)
        return response

    def get_urls(self) -> list[URLPattern]:
        """Add what the buttons do."""
        site = self.admin_site.admin_view
        own = [
            path("<int:pk>/order/", site(self.order_view), name="acme_issuance_order"),
            path("<int:pk>/revoke/", site(self.revoke_view), name="acme_issuance_revoke"),
        ]
        return [*own, *super().get_urls()]

    def order_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Order, renew, or try again, at once."""

        def order(issuance: Issuance) -> str:
            issuances.order_now(issuance, request.user)  # type: ignore[arg-type]
            return "The CA is being asked. Reload this page to see how far it is."

        return self.act(request, pk, order, page="admin:acme_issuance_change")

    def revoke_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Ask why, then revoke."""
        issuance = get_object_or_404(self.get_queryset(request), pk=pk)
        if not self.has_change_permission(request, issuance):
            raise PermissionDenied
        form = RevokeForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            self._revoke(request, issuance, form)
            return HttpResponseRedirect(reverse("admin:acme_issuance_change", args=(pk,)))
        context = {
            **self.admin_site.each_context(request),
            "title": f"Revoke {issuance}",
            "opts": self.opts,
            "issuance": issuance,
            "form": form,
            "standings": [one for one in self._standings(issuance) if one.variant.fingerprint],
        }
        return TemplateResponse(request, "acme/issuance_revoke.html", context)

    def _revoke(self, request: HttpRequest, issuance: Issuance, form: RevokeForm) -> None:
        replace, user = form.cleaned_data["replace"], request.user
        for variant in issuance.variants.select_related("issuance"):
            try:
                revocations.begin(
                    variant,
                    Reason(form.cleaned_data["reason"]),
                    replace=replace,
                    user=user,  # type: ignore[arg-type]
                )
            except revocations.NothingToRevoke as fault:
                messages.warning(request, str(fault))
            else:
                messages.success(request, f"{variant}: the CA is being asked to revoke it.")

    # --- writing ----------------------------------------------------------------------------------

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Write by the service, which orders what is missing."""
        issuances.save(obj, adopt=form.cleaned_data.get("adopt"), user=request.user)  # type: ignore[arg-type]

    def remove(self, objects: Iterable[Issuance]) -> None:
        """Delete by the service."""
        issuances.delete(objects)

    def get_deleted_objects(
        self, objs: Iterable[Issuance], request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        """Say what goes: orders have no permission of their own. The certificates stay."""
        names = [f"{one}: its certificates stay, and are not renewed any more" for one in objs]
        return names, {"automatic certificates": len(names)}, set(), []


@admin.register(DnsSolver)
class DnsSolverAdmin(PostroadAdmin):
    """Ways to set TXT records."""

    empty_text = "A DNS solver sets the TXT records that prove a name by DNS-01. Add one here."
    form = SolverForm
    list_display = ("name", "kind", "server", "zone", "program")
    search_fields = ("name", "server", "zone")
    fieldsets = (
        (None, {"fields": ("name", "kind")}),
        (
            "How",
            {
                "fields": (
                    *("server", "port", "zone", "tsig_name", "tsig_algorithm", "tsig_secret"),
                    *("ttl_s", "program"),
                )
            },
        ),
        ("Patience", {"fields": ("timeout_s", "settle_s")}),
    )
    conditional_fields = {  # noqa: RUF012  (unfold's own form)
        **dict.fromkeys(
            ("server", "port", "zone", "tsig_name", "tsig_algorithm", "tsig_secret", "ttl_s"),
            f"kind == '{SolverKind.RFC2136}'",
        ),
        "program": f"kind == '{SolverKind.HOOK}'",
    }

    def store(self, obj: DnsSolver, form: Any) -> None:
        """Write by the service."""
        issuances.save_solver(obj)

    def remove(self, objects: Iterable[DnsSolver]) -> None:
        """Delete by the service."""
        issuances.delete_solvers(objects)
