"""Unit tests of appliance.credentials."""
