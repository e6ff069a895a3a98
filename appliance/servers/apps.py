"""Django's entry for the app."""

from django.apps import AppConfig


class ServersConfig(AppConfig):
    """Server blocks: where the proxy listens and how it treats a session."""

    name = "appliance.servers"
    label = "servers"
    verbose_name = "Mail"
