"""What is wrong or remarkable in a configuration file, and how it is shown."""

from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class Place:
    """File and line a statement ends in; nginx names that line, not the one it begins in.

    line: 0 when the file as a whole is meant (it cannot be opened).
    """

    file: str
    line: int


@dataclass(frozen=True, slots=True)
class ConfProblem:
    """One remark on a configuration file."""

    message: str
    """In nginx's words where nginx has them."""
    file: str
    line: int
    level: str = "emerg"
    """``emerg`` refuses the file; ``warn`` and ``notice`` do not."""

    @property
    def text(self) -> str:
        """The message and where it is about, as nginx words them."""
        return f"{self.message} in {self.file}:{self.line}" if self.line else self.message

    def __str__(self) -> str:
        return f"[{self.level}] {self.text}"


class Refused(Exception):
    """A directive cannot be taken; the text is what the user is told."""


@dataclass(slots=True)
class Report:
    """Collects problems and notices in the order they are met."""

    problems: list[ConfProblem] = field(default_factory=list)
    notices: list[ConfProblem] = field(default_factory=list)

    def error(self, message: str, place: Place) -> ConfProblem:
        problem = ConfProblem(message, place.file, place.line)
        self.problems.append(problem)
        return problem

    def replace(self, problem: ConfProblem, message: str) -> None:
        """Say something else in the place of this very problem; nothing withdraws it."""
        at = next(i for i, one in enumerate(self.problems) if one is problem)
        self.problems[at : at + 1] = [replace(problem, message=message)] if message else []

    def warn(self, message: str, place: Place) -> None:
        self.notices.append(ConfProblem(message, place.file, place.line, "warn"))

    def notice(self, message: str, place: Place) -> None:
        self.notices.append(ConfProblem(message, place.file, place.line, "notice"))
