"""Django's entry for the app and its place in the sidebar."""

from django.apps import AppConfig

from appliance.lib.sidebar import Item


class RoutingConfig(AppConfig):
    """Mail hosts, accounts and routes."""

    name = "appliance.routing"
    label = "routing"
    verbose_name = "Routing"
    sidebar = (
        Item("Routing", "Routes", "route", "admin:routing_route_changelist", "routing.view_route"),
        Item(
            "Routing",
            "Accounts",
            "account_circle",
            "admin:routing_account_changelist",
            "routing.view_account",
        ),
        Item(
            "Routing",
            "Alias domains",
            "alternate_email",
            "admin:routing_domainalias_changelist",
            "routing.view_domainalias",
        ),
        Item(
            "Routing",
            "Mail hosts",
            "storage",
            "admin:routing_mailhost_changelist",
            "routing.view_mailhost",
        ),
    )

    beat_schedule = {  # noqa: RUF012  (Celery's own form)
        "routing.resume_imports": {
            "task": "appliance.routing.tasks.resume_imports",
            "schedule": 15.0,
            "options": {"expires": 15.0},
        },
        "routing.probe_mail_hosts": {
            "task": "appliance.routing.tasks.probe_mail_hosts",
            "schedule": 15.0,
            "options": {"expires": 15.0},
        },
        "routing.watch_logins": {
            "task": "appliance.routing.tasks.watch_logins",
            "schedule": 60.0,
            "options": {"expires": 60.0},
        },
    }

    def ready(self) -> None:
        """Readable imported passwords are encrypted where no field tells.

        And people can be told of mail hosts that are down.
        """
        from appliance.alerts import registry as alerts
        from appliance.lib import rotation
        from appliance.routing import services
        from appliance.routing.health import alarms

        alerts.register(*alarms.KINDS)
        rotation.register("routing.Account.password_hash", services.renew_encrypted_hashes)
