"""Tests of the health of mail hosts."""
