"""Is this login who it says it is? App passwords, recoverable secrets, and all verification."""
