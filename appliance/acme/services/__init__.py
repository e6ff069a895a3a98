"""Everything that writes what belongs to ACME."""
