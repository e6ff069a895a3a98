"""The proxy nodes: who they are, what they run, what they hold, and what they are told."""
