"""Import and export by CSV."""
