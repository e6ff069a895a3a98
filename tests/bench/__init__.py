"""The benchmark: proxycore beside nginx's mail module, in pairs, on one machine.

``make bench`` runs it; docs/benchmarks/README.md says how and how to read what it prints. pytest
does not collect it. Add a measure: one module in ``measures``, named in ``measures/__init__.py``.
"""
