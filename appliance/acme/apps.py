"""Django's entry for the app, its place in the sidebar and its periodic work."""

from django.apps import AppConfig

from appliance.lib.sidebar import Item


class AcmeConfig(AppConfig):
    """ACME accounts, orders and renewal."""

    name = "appliance.acme"
    label = "acme"
    verbose_name = "Certificates"
    sidebar = (
        Item(
            "Certificates",
            "Automatic certificates",
            "autorenew",
            "admin:acme_issuance_changelist",
            "acme.view_issuance",
        ),
        Item(
            "Certificates",
            "ACME accounts",
            "badge",
            "admin:acme_account_changelist",
            "acme.view_account",
        ),
        Item(
            "Certificates",
            "DNS solvers",
            "dns",
            "admin:acme_dnssolver_changelist",
            "acme.view_dnssolver",
        ),
    )
    beat_schedule = {  # noqa: RUF012  (Celery's own form)
        "acme.continue": {
            "task": "appliance.acme.tasks.continue_due",
            "schedule": 10.0,
            "options": {"expires": 10.0},
        },
        "acme.renew": {
            "task": "appliance.acme.tasks.renew_due",
            "schedule": 60.0,
            "options": {"expires": 60.0},
        },
    }

    def ready(self) -> None:
        """Say what alerts there may be."""
        from appliance.acme.services.kinds import KINDS
        from appliance.alerts import registry

        registry.register(*KINDS)
