"""Unit tests of appliance.routing."""
