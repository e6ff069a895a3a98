"""Django's entry for the app, its place in the sidebar and its periodic work."""

from django.apps import AppConfig

from appliance.alerts import registry as alerts
from appliance.history import names
from appliance.lib.sidebar import Item


class HistoryConfig(AppConfig):
    """Sessions that have ended."""

    name = "appliance.history"
    label = "history"
    verbose_name = "History"
    sidebar = (
        Item(
            "Reports",
            "History",
            "history",
            "admin:history_sessionrecord_changelist",
            "history.view_sessionrecord",
        ),
        Item(
            "Reports",
            "Top lists",
            "leaderboard",
            "top_lists",
            "history.view_sessionrecord",
        ),
    )
    beat_schedule = {  # noqa: RUF012  (Celery's own form)
        "history.tidy": {
            "task": "appliance.history.tasks.tidy",
            "schedule": 300.0,
            "options": {"expires": 300.0},
        },
    }

    def ready(self) -> None:
        """Declare what people can be told of."""
        alerts.register(
            alerts.Kind(
                "queue",
                "Session records are dropped",
                "A node has more records of ended sessions than the appliance takes in, so the"
                " history has gaps. Mail is not concerned.",
                lambda: names.all_names().values(),
            )
        )
