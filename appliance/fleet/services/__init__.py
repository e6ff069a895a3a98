"""Everything that writes in the fleet: ``nodes``, ``sessions``, ``commands``."""
