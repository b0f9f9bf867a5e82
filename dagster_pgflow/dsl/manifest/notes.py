"""All that is wrong with a manifest, each with its place in it and in its text."""

from dataclasses import dataclass, field

from dagster_pgflow.dsl.manifest.forms import NOWHERE, At, FormRefused
from dagster_pgflow.dsl.manifest.gaps import Gaps
from dagster_pgflow.dsl.workflow.parts import Place, Problems, path_of
from dagster_pgflow.errors import Problem


@dataclass
class Notes:
    """What is found while a manifest is read.

    Attributes:
        problems: What is wrong.
        places: Where in the text each part of the manifest stands, by its path.
        gaps: What could not be read.
        warnings: What is understood, and should be written otherwise.
    """

    problems: Problems = field(default_factory=Problems)
    places: dict[str, At] = field(default_factory=dict)
    gaps: Gaps = field(default_factory=Gaps)
    warnings: list[Problem] = field(default_factory=list)
    _order: dict[Problem, At] = field(default_factory=dict)

    def note(self, code: str, place: Place, message: str, at: At = NOWHERE) -> None:
        """Add a problem.

        Args:
            code: A stable, kebab-case name of the rule.
            place: Where in the manifest.
            message: One sentence.
            at: Where in its text.

        Raises:
            TooManyProblems: There are as many as are reported.
        """
        self._add(Problem(code, with_place(path_of(place), at), message), at)

    def warn(self, code: str, place: Place, message: str, at: At = NOWHERE) -> None:
        """Add what somebody should look at; the same as `note`, and no problem."""
        self.warnings.append(Problem(code, with_place(path_of(place), at), message))

    def refuse(self, place: Place, reason: FormRefused) -> None:
        """Add why a form says nothing that is understood there."""
        self.note(reason.code, place, str(reason), reason.at)

    def put(self, place: Place, at: At) -> None:
        """Remember where a part of the manifest stands."""
        if at != NOWHERE:
            self.places[path_of(place)] = at

    def at(self, place: Place) -> At:
        """Return where a part of the manifest, or the nearest one around it, stands."""
        return at_of(self.places, path_of(place))

    def placed(self, problem: Problem) -> Problem:
        """Return a problem of a manifest that was read, with the place in its text."""
        at = at_of(self.places, problem.path)
        return Problem(problem.code, with_place(problem.path, at), problem.message)

    def add(self, problem: Problem) -> None:
        """Add a problem of a manifest that was read.

        Raises:
            TooManyProblems: There are as many as are reported.
        """
        self._add(self.placed(problem), at_of(self.places, problem.path))

    def in_order(self) -> list[Problem]:
        """Return the problems as they stand in the text, each once; those of other files last."""
        return sorted(self._order, key=lambda found: _rank(self._order[found]))

    def _add(self, problem: Problem, at: At) -> None:
        if problem not in self._order:
            self.problems.add(problem)
            self._order[problem] = at


def _rank(at: At) -> tuple[str, int, int]:
    return at.file, at.line, at.column


def with_place(path: str, at: At) -> str:
    """Return a path, and where in a text that is.

    >>> with_place("cells.start", At(3, 5)), with_place("cells.start", NOWHERE)
    ('cells.start (line 3, column 5)', 'cells.start')
    """
    return path if at == NOWHERE else f"{path} ({at})"


def at_of(places: dict[str, At], path: str) -> At:
    """Return where a path, or the nearest one around it, stands."""
    while path not in places:
        end = max(path.rfind("."), path.rfind("["))
        if end <= 0:
            return places.get("$", NOWHERE)
        path = path[:end]
    return places[path]
