"""Django's entry for the app and its place in the sidebar."""

from django.apps import AppConfig

from appliance.lib.sidebar import Item


class CertsConfig(AppConfig):
    """Certificates and their keys."""

    name = "appliance.certs"
    label = "certs"
    verbose_name = "Certificates"
    sidebar = (
        Item(
            "Certificates",
            "Certificates",
            "encrypted",
            "admin:certs_certificate_changelist",
            "certs.view_certificate",
        ),
    )
