"""The tree held against its own promises."""
