"""Export routes as CSV, as the admin's page does."""

from appliance.routing.transfer.console import ExportCommand


class Command(ExportCommand):
    """``manage.py export_routes``."""

    help = "Export routes as CSV."
    kind = "routes"
