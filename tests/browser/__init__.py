"""Operators' tasks, done in a real browser."""
