"""Django's entry for the app, its place in the sidebar and its periodic work."""

from django.apps import AppConfig

from appliance.lib.sidebar import Item


class StatsConfig(AppConfig):
    """What the nodes count, now and for years."""

    name = "appliance.stats"
    label = "stats"
    verbose_name = "Statistics"
    sidebar = (Item("Reports", "Charts", "monitoring", "admin:stats_charts", "stats.view_rollup"),)
    beat_schedule = {  # noqa: RUF012  (Celery's own form)
        "stats.roll_up": {
            "task": "appliance.stats.tasks.roll_up",
            "schedule": 30.0,
            "options": {"expires": 30.0},
        },
        "stats.watch_failures": {
            "task": "appliance.stats.tasks.watch_failures",
            "schedule": 60.0,
            "options": {"expires": 60.0},
        },
        "stats.prune": {
            "task": "appliance.stats.tasks.prune",
            "schedule": 600.0,
            "options": {"expires": 600.0},
        },
    }

    def ready(self) -> None:
        """Declare what people can be told of."""
        from appliance.alerts import registry as alerts
        from appliance.stats.alarms import KIND

        alerts.register(
            alerts.Kind(
                KIND,
                "Logins fail more often than usual",
                "Many logins at a server block have failed in the last minutes: somebody guesses"
                " passwords, or the auth service or a mail server is in trouble.",
            )
        )
