"""Django's entry for the app: its section of the snapshot and its place in the sidebar."""

from django.apps import AppConfig

from appliance.lib.sidebar import Item


class ServersConfig(AppConfig):
    """Server blocks: where the proxy listens and how it treats a session."""

    name = "appliance.servers"
    label = "servers"
    verbose_name = "Mail"
    sidebar = (
        Item(
            "Mail",
            "Server blocks",
            "dns",
            "admin:servers_serverblock_changelist",
            "servers.view_serverblock",
        ),
        Item(
            "Fleet",
            "Node processes",
            "settings_applications",
            "admin:servers_processsettings_changelist",
            "servers.view_processsettings",
        ),
    )

    def ready(self) -> None:
        """Contribute to every snapshot."""
        from appliance.certs.queries import register_uses
        from appliance.certs.registry import register_objections
        from appliance.publish import registry
        from appliance.servers import queries, sections, services

        registry.register_section("servers", sections.servers, services.load_servers)
        registry.register_section("process", sections.process, services.load_process)
        register_uses("servers", queries.certificate_uses)
        register_objections("servers", queries.clashing_keys)
