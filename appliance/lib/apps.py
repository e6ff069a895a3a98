"""Django's entry for the shared means, and the staff's place in the sidebar."""

from django.apps import AppConfig

from appliance.lib.sidebar import Item


class LibConfig(AppConfig):
    """Shared means."""

    name = "appliance.lib"
    label = "lib"
    verbose_name = "Shared"
    sidebar = (
        Item("Staff", "Users", "person", "admin:auth_user_changelist", "auth.view_user"),
        Item("Staff", "Groups", "group", "admin:auth_group_changelist", "auth.view_group"),
    )
