"""Django's entry for the app."""

from django.apps import AppConfig


class AuditConfig(AppConfig):
    """Who changed what, and when."""

    name = "appliance.audit"
    label = "audit"
    verbose_name = "Staff"
