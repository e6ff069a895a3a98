"""Decisions over (configuration, facts, now). Pure: time arrives as monotonic seconds."""
