"""Django's entry for the app and its place in the sidebar."""

from django.apps import AppConfig

from appliance.lib.sidebar import Item


class AuthHttpConfig(AppConfig):
    """The built-in auth_http service."""

    name = "appliance.authhttp"
    label = "authhttp"
    verbose_name = "Auth service"
    sidebar = (
        Item("Routing", "Who goes where?", "alt_route", "explain", "routing.view_account"),
        Item(
            "Routing",
            "Caller secrets",
            "key",
            "admin:authhttp_callersecret_changelist",
            "authhttp.view_callersecret",
        ),
    )
