"""Unit tests of appliance.lib."""
