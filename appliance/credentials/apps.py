"""Django's entry for the app and its place in the sidebar."""

from django.apps import AppConfig

from appliance.lib.sidebar import Item


class CredentialsConfig(AppConfig):
    """What accounts prove themselves with."""

    name = "appliance.credentials"
    label = "credentials"
    verbose_name = "Credentials"
    sidebar = (
        Item(
            "Routing",
            "Password verifiers",
            "verified_user",
            "admin:routing_verifier_changelist",
            "routing.view_verifier",
        ),
    )
