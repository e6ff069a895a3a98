"""A page for each mail host: its health, what nodes count of it, its sessions, and draining it."""
