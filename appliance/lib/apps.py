"""Django's entry for the shared means, and the staff's place in the sidebar."""

from typing import Any

from django.apps import AppConfig, apps
from django.db.models.signals import post_migrate

from appliance.lib.sidebar import Item


class LibConfig(AppConfig):
    """Shared means."""

    name = "appliance.lib"
    label = "lib"
    verbose_name = "Shared"
    sidebar = (
        Item("Staff", "Users", "person", "admin:auth_user_changelist", "auth.view_user"),
        Item("Staff", "Roles", "group", "admin:auth_group_changelist", "auth.view_group"),
    )

    def ready(self) -> None:
        """Make groups of the roles after each migration; call their app as the sidebar does."""
        apps.get_app_config("auth").verbose_name = "Staff"

        def sync(app_config: AppConfig, **more: Any) -> None:
            from appliance.lib import roles

            roles.sync_after_migrate(app_config, **more)

        post_migrate.connect(sync, dispatch_uid="lib.roles", weak=False)
