"""Django's entry for the app, its place in the sidebar and its periodic work."""

from django.apps import AppConfig

from appliance.lib.sidebar import Item


class AlertsConfig(AppConfig):
    """What is wrong now, and who is told of it."""

    name = "appliance.alerts"
    label = "alerts"
    verbose_name = "Alerts"
    sidebar = (
        Item(
            "Alerts",
            "What is wrong",
            "notifications",
            "admin:alerts_alert_changelist",
            "alerts.view_alert",
            badge="appliance.alerts.queries.open_count",
        ),
        Item(
            "Alerts",
            "Who is told",
            "forward_to_inbox",
            "admin:alerts_recipient_changelist",
            "alerts.view_recipient",
        ),
    )
    beat_schedule = {  # noqa: RUF012  (Celery's own form)
        "alerts.look": {
            "task": "appliance.alerts.tasks.look",
            "schedule": 30.0,
            # a worker that was away need not catch up
            "options": {"expires": 30.0},
        },
        "alerts.tidy": {
            "task": "appliance.alerts.tasks.tidy",
            "schedule": 86_400.0,
            "options": {"expires": 3600.0},
        },
    }
