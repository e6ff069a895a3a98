"""Django's entry for the app."""

from django.apps import AppConfig


class AcmeConfig(AppConfig):
    """ACME accounts, orders and renewal."""

    name = "appliance.acme"
    label = "acme"
    verbose_name = "Certificates"
