"""Import accounts as CSV, as the admin's page does."""

from appliance.routing.transfer.console import ImportCommand


class Command(ImportCommand):
    """``manage.py import_accounts``."""

    help = "Import accounts from a CSV file: check it, name every wrong line, then write it."
    kind = "accounts"
