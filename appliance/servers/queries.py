"""Read what is drafted."""

from appliance.servers.models import ProcessSettings

PROCESS_ROW = 1


def process_settings() -> ProcessSettings:
    """Give the settings of the nodes' processes; the defaults before anybody has saved some."""
    return ProcessSettings.objects.filter(pk=PROCESS_ROW).first() or ProcessSettings(pk=PROCESS_ROW)
