"""Django's entry for the app."""

from django.apps import AppConfig


class ProofConfig(AppConfig):
    """Which certificate every listener of every node really serves."""

    name = "appliance.proof"
    label = "proof"
    verbose_name = "Certificates"
