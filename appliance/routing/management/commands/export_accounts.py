"""Export accounts as CSV, as the admin's page does."""

from appliance.routing.transfer.console import ExportCommand


class Command(ExportCommand):
    """``manage.py export_accounts``."""

    help = "Export accounts as CSV."
    kind = "accounts"
