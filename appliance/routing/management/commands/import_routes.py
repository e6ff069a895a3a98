"""Import routes as CSV, as the admin's page does."""

from appliance.routing.transfer.console import ImportCommand


class Command(ImportCommand):
    """``manage.py import_routes``."""

    help = "Import routes from a CSV file: check it, name every wrong line, then write it."
    kind = "routes"
