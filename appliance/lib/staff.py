"""Admin pages of users and groups, in the looks of the rest. Loaded with ``lib.admin``."""

from typing import Any, Final

from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.decorators import action, display
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from appliance.lib import lockouts, roles
from appliance.lib.recorded import Recorded

admin.site.unregister(User)
admin.site.unregister(Group)

_LOCKED: Final = "locked out"


@admin.register(User)
class UserAdmin(Recorded, DjangoUserAdmin, ModelAdmin):  # type: ignore[misc, type-arg]
    """Staff. What they may do comes from their roles."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "show_roles", "email", "is_active", "last_login", "show_lock")
    list_filter = ("is_active", "groups")
    filter_horizontal = ()
    actions = ("unlock",)
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("Person", {"fields": (("first_name", "last_name"), "email")}),
        (
            "May do",
            {
                "fields": ("is_active", "is_staff", "groups", "is_superuser"),
                "description": "Roles say what somebody may do.",
            },
        ),
        ("Dates", {"fields": (("last_login", "date_joined"),)}),
    )
    readonly_fields = ("last_login", "date_joined")

    @display(description="Roles", empty_value="none")  # type: ignore[untyped-decorator]
    def show_roles(self, user: User) -> str | None:
        """Name the roles."""
        if user.is_superuser:
            return "superuser"
        return ", ".join(group.name for group in user.groups.all()) or None

    @display(description="Sign-in", label={_LOCKED: "danger"})  # type: ignore[untyped-decorator]
    def show_lock(self, user: User) -> str | None:
        """Say who is locked out somewhere."""
        return _LOCKED if user.username in lockouts.locked() else None

    @action(description="Unlock: forget failed sign-ins", permissions=["change"])  # type: ignore[untyped-decorator]
    def unlock(self, request: HttpRequest, queryset: "QuerySet[User]") -> None:
        """Forget the failures of the chosen."""
        for user in queryset:
            lockouts.unlock(user)
        messages.success(request, "They may try to sign in again.")

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """Let whoever is made here sign in: the admin is all that there is to sign in to."""
        if not change:
            obj.is_staff = True
        super().save_model(request, obj, form, change)

    def get_queryset(self, request: HttpRequest) -> "QuerySet[User]":
        """Bring the roles along."""
        users: QuerySet[User] = super().get_queryset(request)
        return users.prefetch_related("groups")

    # --- nobody makes himself or others more than he is ----------------------------------------

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Only a superuser makes superusers."""
        fields = super().get_readonly_fields(request, obj)
        return fields if request.user.is_superuser else (*fields, "is_superuser")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Only a superuser changes a superuser, his password included."""
        return _is_within_reach(request, obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Only a superuser deletes a superuser."""
        return _is_within_reach(request, obj) and super().has_delete_permission(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: "QuerySet[User]") -> None:
        """Leave out whom the deleter may not delete."""
        if not request.user.is_superuser:
            queryset = queryset.filter(is_superuser=False)
        super().delete_queryset(request, queryset)


def _is_within_reach(request: HttpRequest, obj: Any) -> bool:
    return obj is None or request.user.is_superuser or not obj.is_superuser


@admin.register(Group)
class GroupAdmin(Recorded, DjangoGroupAdmin, ModelAdmin):  # type: ignore[misc]
    """Roles, and sets of permissions of one's own beside them."""

    list_display = ("name", "show_purpose", "show_members")

    @display(description="Does")  # type: ignore[untyped-decorator]
    def show_purpose(self, group: Group) -> str:
        """Say what a role is for."""
        return roles.ROLES.get(group.name, "made here")

    @display(description="Members")  # type: ignore[untyped-decorator]
    def show_members(self, group: Group) -> str:
        """Count."""
        return str(group.user_set.count())

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A role is what the program says it is."""
        if obj is not None and roles.is_role(obj):
            return False
        return super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A role would come back with the next start."""
        if obj is not None and roles.is_role(obj):
            return False
        return super().has_delete_permission(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: "QuerySet[Group]") -> None:
        """Leave the roles."""
        super().delete_queryset(request, queryset.exclude(name__in=roles.ROLES))
