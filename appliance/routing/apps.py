"""Django's entry for the app."""

from django.apps import AppConfig


class RoutingConfig(AppConfig):
    """Mail hosts, accounts and routes: who goes where, and why."""

    name = "appliance.routing"
    label = "routing"
    verbose_name = "Routing"
