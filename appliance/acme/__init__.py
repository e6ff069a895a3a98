"""ACME accounts, orders and renewal."""
