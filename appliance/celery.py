"""The Celery application: what runs beside the requests, and when.

An app that has periodic work names it in its AppConfig as ``beat_schedule`` (Celery's own form),
so that no central list has to know every task.
"""

import os
from typing import Any

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "appliance.settings")

app = Celery("postroad")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@app.on_after_finalize.connect
def collect_schedules(sender: Celery, **_: Any) -> None:
    """Gather the periodic tasks that the installed apps declare."""
    from django.apps import apps

    schedule: dict[str, Any] = {}
    for config in apps.get_app_configs():
        schedule.update(getattr(config, "beat_schedule", {}))
    sender.conf.beat_schedule = schedule
