"""All socket I/O of a worker, on our own epoll reactor (ADR-0011).

``engine.Engine`` is the door: the daemon's worker gives it snapshots, listening sockets and
orders, and reads its ledger. Nothing here knows where a configuration comes from.
"""
