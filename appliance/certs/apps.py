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
        Item(
            "Certificates",
            "Requests to a CA",
            "outgoing_mail",
            "admin:certs_signingrequest_changelist",
            "certs.view_signingrequest",
        ),
        Item(
            "Certificates",
            "Private authorities",
            "shield_lock",
            "admin:certs_authority_changelist",
            "certs.view_authority",
        ),
    )
    beat_schedule = {  # noqa: RUF012  (Celery's own form)
        "certs.watch_expiry": {
            "task": "appliance.certs.tasks.watch_expiry",
            "schedule": 3600.0,
            "options": {"expires": 3600.0},
        },
    }

    def ready(self) -> None:
        """Declare what people may be told of."""
        from appliance.alerts.registry import register
        from appliance.certs.expiry import KIND

        register(KIND)
