"""Django's entry for the app, its place in the sidebar and its periodic work."""

from django.apps import AppConfig

from appliance.alerts import registry as alerts
from appliance.history import names as history
from appliance.lib.sidebar import Item
from appliance.publish import registry
from appliance.stats import registry as stats


class FleetConfig(AppConfig):
    """Nodes, the control link, live sessions and commands."""

    name = "appliance.fleet"
    label = "fleet"
    verbose_name = "Fleet"
    sidebar = (
        Item(
            "Fleet",
            "Live sessions",
            "sensors",
            "admin:fleet_livesession_changelist",
            "fleet.view_livesession",
        ),
        Item("Fleet", "Nodes", "hub", "admin:fleet_node_changelist", "fleet.view_node"),
        Item(
            "Fleet",
            "Node groups",
            "lan",
            "admin:servers_nodegroup_changelist",
            "servers.view_nodegroup",
        ),
        Item(
            "Fleet",
            "Enrolment codes",
            "qr_code_2_add",
            "admin:fleet_enrolmentcode_changelist",
            "fleet.view_enrolmentcode",
        ),
        Item(
            "Fleet",
            "Disconnects",
            "link_off",
            "admin:fleet_nodecommand_changelist",
            "fleet.view_nodecommand",
        ),
        Item(
            "Fleet",
            "Mass disconnects",
            "group_off",
            "admin:fleet_disconnect_changelist",
            "fleet.view_disconnect",
        ),
    )
    beat_schedule = {  # noqa: RUF012  (Celery's own form)
        "fleet.tidy": {
            "task": "appliance.fleet.tasks.tidy",
            "schedule": 15.0,
            # a worker that was away need not catch up
            "options": {"expires": 15.0},
        },
        "fleet.watch_nodes": {
            "task": "appliance.fleet.tasks.watch_nodes",
            "schedule": 15.0,
            "options": {"expires": 15.0},
        },
        "fleet.rotate_tickets": {
            "task": "appliance.fleet.tasks.rotate_tickets",
            "schedule": 30.0,
            "options": {"expires": 30.0},
        },
    }

    def ready(self) -> None:
        """Say on the Publish page how the active revision fares on the nodes.

        And have nodes told at once what authorities may ask them.
        """
        from appliance.acme import answers
        from appliance.fleet import alarms, metrics
        from appliance.fleet.doorbells import ring_for_challenges
        from appliance.fleet.queries import names
        from appliance.fleet.rollout import destinations, status_lines

        alerts.register(*alarms.KINDS)
        stats.register_node_names(names)
        stats.register_metrics(*metrics.METRICS)
        registry.register_status_provider("fleet", status_lines)
        answers.register("fleet", ring_for_challenges)
        registry.register_destinations("fleet", destinations)
        history.register(names)
