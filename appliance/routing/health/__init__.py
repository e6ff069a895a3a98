"""Whether mail hosts answer: probes, what follows from them, and who is told (ADR-0034)."""
