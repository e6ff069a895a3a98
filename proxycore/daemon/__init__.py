"""Processes: supervisor, workers, listening sockets, applying a snapshot, control link, logs.

The supervisor is asyncio and touches no session; the workers touch sessions and are no asyncio
(ADR-0004). Nothing below this package knows that there is more than one process.
"""
