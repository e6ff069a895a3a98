"""Unit tests of appliance.servers."""
