"""Means shared by all apps, without models: environment, state, secrets at rest, admin base."""
