"""What is wrong with a call of `Flow(...)`, `.step(...)` and the like, in the caller's words."""

import reprlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from dagster_pgflow.errors import InvalidFlow, Problem
from dagster_pgflow.model.steps import ARGUMENTS, builders_with
from dagster_pgflow.model.steps.fields import SLUGS

M = TypeVar("M", bound=BaseModel)

MEANT = {
    "retries": "max_attempts",
    "max_retries": "max_attempts",
    "delay": "base_delay",
    "deps": "depends_on",
    "needs": "depends_on",
    "after": "depends_on",
    "when": "run_if",
}
"""What other libraries call our arguments, where the letters do not tell."""

WANTED = {
    **{name: argument.wanted for name, argument in ARGUMENTS.items()},
    "fragment": "a Fragment",
    "entry": SLUGS.wanted,
}
"""What some arguments must be; of all others the type tells."""

WORDS = {
    "int": "a whole number",
    "bool": "True or False",
    "string": "text",
    "dict": "a dict",
    "tuple": "a list",
}
"""What an argument must be, by the first word of pydantic's kind of error."""


@dataclass(frozen=True)
class Call:
    """A call that adds to a flow or fragment.

    Attributes:
        flow_slug: The flow or fragment.
        written: What was called, such as `.step()`.
        path: What it adds, such as `steps.charge`; empty for the flow itself.
        takes: The arguments that there are.
        kind: What it adds to: `Flow` or `Fragment`.
    """

    flow_slug: str
    written: str
    path: str
    takes: Collection[str]
    kind: str = "Flow"

    def make(self, model: type[M], fields: Mapping[str, Any], strangers: Collection[str]) -> M:
        """Return what the call adds.

        Args:
            model: What it is.
            fields: Its fields.
            strangers: Arguments of the call that there are not.

        Raises:
            InvalidFlow: With each argument that there is not, or that cannot be what it is.
        """
        problems = [self._unknown(name) for name in strangers]
        try:
            made = model(**fields)
        except ValidationError as error:
            found = [*problems, *self.problems_of(error)]
            raise InvalidFlow(self.flow_slug, found, self.kind) from None
        if problems:
            raise InvalidFlow(self.flow_slug, problems, self.kind)
        return made

    def problems_of(self, error: ValidationError) -> Iterator[Problem]:
        """Yield what pydantic says, about the arguments as they were written."""
        for details in error.errors(include_url=False):
            argument, inside = _written(details["loc"])
            if argument == "output" and details["loc"][1:2] == ("str",):
                continue  # Pydantic says of each form of a value why it has not that one.
            if details["type"] == "extra_forbidden" and not inside:
                yield self._unknown(argument)
                continue
            place = argument + "".join(f"[{part!r}]" for part in inside)
            given, advice = reprlib.repr(details["input"]), _advice(argument, inside, details)
            yield Problem("wrong-argument", self._path(argument), f"{place} is {given}; {advice}.")

    def _unknown(self, name: str) -> Problem:
        meant = MEANT.get(name) or next(iter(get_close_matches(name, self.takes, 1)), None)
        if methods := builders_with(name):
            advice = f"that is an argument of {_listed(methods)}"
        elif meant in self.takes:
            advice = f'"{meant}" may be meant'
        else:
            advice = f"there are: {', '.join(self.takes)}"
        message = f'{self.written} has no argument "{name}"; {advice}.'
        return Problem("unknown-argument", self._path(name), message)

    def _path(self, argument: str) -> str:
        return f"{self.path}.{argument}" if self.path else argument


def _listed(methods: Sequence[str]) -> str:
    *others, last = (f".{method}()" for method in methods)
    return f"{', '.join(others)} and {last}" if others else last


def _written(place: tuple[str | int, ...]) -> tuple[str, tuple[str | int, ...]]:
    """Return the argument that pydantic means, and where in it.

    Options are arguments like all others, unless they came as one.
    """
    match place:
        case ("options", name, *inside):
            return str(name), tuple(inside)
        case ("output", _, *inside):
            return "output", tuple(inside)
        case (name, *inside):
            return str(name), tuple(inside)
        case _:
            return "arguments", ()


def _advice(argument: str, inside: tuple[str | int, ...], details: Any) -> str:
    kind = details["type"].partition("_")[0]
    if kind == "literal":
        words = details["ctx"]["expected"]
        close = get_close_matches(str(details["input"]), words.split("'")[1::2], 1)
        meant = f", and '{close[0]}' may be meant" if close else ""
        return f"it must be {words}{meant}"
    if argument in WANTED and not inside:
        return f"it must be {WANTED[argument]}"
    return f"it must be {WORDS[kind]}" if kind in WORDS else f"pydantic says: {details['msg']}"
