"""Django's entry for the app."""

from django.apps import AppConfig


class PublishConfig(AppConfig):
    """Numbered configuration revisions: validate, diff, publish, roll back. Knows no domain."""

    name = "appliance.publish"
    label = "publish"
    verbose_name = "Publish"
