"""Django's entry for the app."""

from django.apps import AppConfig


class StatsConfig(AppConfig):
    """Totals reported by the nodes."""

    name = "appliance.stats"
    label = "stats"
    verbose_name = "Statistics"
