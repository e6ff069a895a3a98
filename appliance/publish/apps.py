"""Django's entry for the app and its place in the sidebar."""

from django.apps import AppConfig

from appliance.lib.sidebar import Item


class PublishConfig(AppConfig):
    """Numbered configuration revisions."""

    name = "appliance.publish"
    label = "publish"
    verbose_name = "Publish"
    sidebar = (
        Item(
            "Publish",
            "Publish",
            "publish",
            "admin:publish_configrevision_changelist",
            "publish.view_configrevision",
        ),
    )
    beat_schedule = {  # noqa: RUF012  (Celery's own form)
        "publish.publish_due": {
            "task": "appliance.publish.tasks.publish_due",
            "schedule": 3.0,
            "options": {"expires": 3.0},
        },
    }
