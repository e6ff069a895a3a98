"""Numbered configuration revisions: validate, diff, publish, roll back. Knows no domain."""
