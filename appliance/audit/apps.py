"""Django's entry for the app, its place in the sidebar and its periodic work."""

from celery.signals import task_postrun, task_prerun
from django.apps import AppConfig

from appliance.lib.sidebar import Item


class AuditConfig(AppConfig):
    """Who changed what, and when."""

    name = "appliance.audit"
    label = "audit"
    verbose_name = "Staff"
    sidebar = (
        Item("Staff", "Audit trail", "history", "admin:audit_entry_changelist", "audit.view_entry"),
    )
    beat_schedule = {  # noqa: RUF012  (Celery's own form)
        "audit.forget": {"task": "appliance.audit.tasks.forget", "schedule": 6 * 3600.0},
    }

    def ready(self) -> None:
        """Listen to what is changed, and know in which task."""
        from appliance.audit import actors, receivers, services
        from appliance.audit.choices import Action
        from appliance.lib import rotation

        receivers.connect()
        rotation.on_rotation(lambda said: services.record(Action.KEYS_ROTATED, text=said))
        task_prerun.connect(actors.task_begins, dispatch_uid="audit.task", weak=False)
        task_postrun.connect(actors.task_ends, dispatch_uid="audit.task", weak=False)
