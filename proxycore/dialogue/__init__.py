"""The session's state machine: tokens to intentions, no socket, no clock, no log (ADR-0002).

``Session.handle(event) -> commands`` is the whole interface. Events are past facts, commands are
imperatives; one place in ``proxycore.net`` executes commands. *Front* is client <-> us, *back* is
us <-> mail server.
"""
