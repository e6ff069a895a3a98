"""Django's entry for the app."""

from django.apps import AppConfig


class HistoryConfig(AppConfig):
    """Sessions that have ended."""

    name = "appliance.history"
    label = "history"
    verbose_name = "Reports"
