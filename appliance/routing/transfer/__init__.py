"""Accounts and routes as CSV: columns, reading with every bad line named, writing in batches."""
