"""Fixtures that start real programs, and helpers the tests share."""
