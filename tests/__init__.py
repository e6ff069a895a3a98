"""The tests. `make test` runs them all; tests/support holds what they share."""
