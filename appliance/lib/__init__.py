"""Means shared by all apps: environment, state directory, secrets at rest, admin base. No models."""
