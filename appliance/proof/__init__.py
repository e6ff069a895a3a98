"""Which certificate every listener of every node really serves."""
