"""Django's entry for the app."""

from django.apps import AppConfig


class AlertsConfig(AppConfig):
    """What is wrong now, and who is told of it."""

    name = "appliance.alerts"
    label = "alerts"
    verbose_name = "Alerts"
