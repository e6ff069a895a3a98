"""Django's entry for the app, its place in the sidebar and its periodic work."""

from django.apps import AppConfig

from appliance.lib.sidebar import Item


class ProofConfig(AppConfig):
    """Which certificate every listener of every node really serves."""

    name = "appliance.proof"
    label = "proof"
    verbose_name = "Proof of serving"
    sidebar = (
        Item(
            "Certificates",
            "Proof of serving",
            "fact_check",
            "admin:proof_sighting_changelist",
            "proof.view_sighting",
            badge="appliance.proof.queries.bad_count",
        ),
    )
    beat_schedule = {  # noqa: RUF012  (Celery's own form)
        "proof.look_around": {
            "task": "appliance.proof.tasks.look_around",
            "schedule": 3.0,
            # a worker that was away need not catch up
            "options": {"expires": 3.0},
        },
    }

    def ready(self) -> None:
        """Say what alerts there may be, and where a certificate is served."""
        from appliance.alerts import registry as alerts
        from appliance.certs import registry as certificates
        from appliance.proof import kinds
        from appliance.proof.sections import served

        alerts.register(kinds.OTHER, kinds.SILENT)
        certificates.register_section(served, "proof")
