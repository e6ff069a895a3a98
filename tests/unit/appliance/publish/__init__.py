"""Unit tests of appliance.publish."""
