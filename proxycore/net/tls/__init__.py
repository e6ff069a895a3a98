"""TLS endpoints without a socket: ciphertext in, plaintext out, and the other way round.

Theory of operation (ADR-0013). ``libssl`` opens the system's OpenSSL. ``material`` turns files
into content. A context (``front_context``, ``back_context``) is what all connections of a server
block, or to mail servers under one policy, have in common. An endpoint (``front``, ``back``) is one
connection; ``endpoint`` is what both are. ``hello`` reads a ClientHello, so that ``names`` can
choose the context before OpenSSL sees an octet.

The driver owns sockets, timers and deadlines; nothing here waits. No input of a peer raises.
May import ``contract``. Nothing outside this package sees a pointer of OpenSSL's.
"""
