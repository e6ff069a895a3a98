"""Unit tests of appliance.authhttp."""
