"""DNS-01 (RFC 8555 §8.4): put a TXT record where the CA looks, and take it away again.

One module for each kind of solver; nothing above knows more of them than ``Solver``.
"""

from typing import TYPE_CHECKING, Protocol

from appliance.acme.choices import SolverKind

if TYPE_CHECKING:
    from appliance.acme.models import DnsSolver


class SolverError(Exception):
    """A record could not be set or removed; the text is for the operator, without secrets."""


class Solver(Protocol):
    """Sets and removes records. Both are safe to repeat, also by another process."""

    def present(self, name: str, value: str) -> None:
        """Add a TXT record beside those that are there; one that is there already is fine.

        name: fully qualified, without the dot at its end: ``_acme-challenge.example.com``. A name
        and its wildcard have theirs at the same one.
        Raises SolverError.
        """

    def cleanup(self, name: str, value: str) -> None:
        """Remove that one record and no other; one that is gone already is fine.

        Raises SolverError.
        """

    def missing(self, name: str, value: str) -> str:
        """Name a server that has not got the record yet, asking each once; blank: none is known.

        Raises SolverError.
        """


def build(settings: "DnsSolver") -> Solver:
    """Give the solver that an operator has described."""
    if settings.kind == SolverKind.HOOK:
        from appliance.acme.solvers.hook import HookSolver

        return HookSolver(settings)
    from appliance.acme.solvers.rfc2136 import Rfc2136Solver

    return Rfc2136Solver(settings)
