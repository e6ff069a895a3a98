"""Numbers reported by the nodes. Knows node ids and series names, nothing else of the fleet."""
