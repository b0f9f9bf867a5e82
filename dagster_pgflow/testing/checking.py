"""What is different between what a case expects and what became of its run."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from typing import Any, Final

from dagster_pgflow.errors import ConfigurationError
from dagster_pgflow.in_process.paths import Places, without_numbers
from dagster_pgflow.in_process.result import StepResult, TaskResult
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.testing.asserted import TestResult
from dagster_pgflow.testing.cases import Case, Expected
from dagster_pgflow.testing.explanation import missed, passed

_IN_A_LINE: Final = 60
"""Characters of a value that has room in a sentence."""


_One = StepResult | TaskResult
_Seen = tuple[Any, str]
"""What was found that is not as expected, and what is to be said of it, if anything."""

_Look = Callable[[Any, Any], _Seen | None]


@dataclass(frozen=True)
class Discrepancy:
    """One thing that is not as expected.

    Attributes:
        what: The part of `expect` that says otherwise, such as `steps.decline`.
        expected: What it says.
        found: What became of it.
        said: What is to be said of it, where the two do not say it.
    """

    what: str
    expected: Any
    found: Any
    said: str = ""

    def lines(self) -> Iterator[str]:
        """Yield it for people: in a sentence, or as a diff where that would be a long one."""
        if self.said:
            yield f"{self.what}: {self.said}"
            return
        expected, found = _text(self.expected), _text(self.found)
        if all("\n" not in text and len(text) <= _IN_A_LINE for text in (expected, found)):
            yield f"{self.what}: expected {expected}, found {found}"
            return
        yield f"{self.what}: expected what has a -, found what has a +"
        changes = list(unified_diff(expected.splitlines(), found.splitlines(), lineterm="", n=2))
        # The first three lines name files and places in them; here there are none.
        yield from ("…" if line.startswith("@@") else line for line in changes[3:])


def refuse_unknown_places(case: Case, flow_slug: str, flows: Sequence[Flow]) -> None:
    """Refuse a case that expects something of a step that no run of its flow has.

    Args:
        case: The case.
        flow_slug: The flow that it runs.
        flows: It and the flows that it contains; they are sound.

    Raises:
        ConfigurationError: There is no such step; with all of these, and which ones may be meant.
    """
    places, expect = Places(flow_slug, {flow.slug: flow for flow in flows}), case.expect
    parts: Mapping[str, Sequence[str] | Mapping[str, Any]] = {
        "route": expect.route,
        "steps": expect.steps,
        "outputs": expect.outputs,
        "attempts": expect.attempts,
    }
    wrong = []
    for part, paths in parts.items():
        for path in paths:
            try:
                places.find(path, f"expect.{part}")
            except ConfigurationError as error:
                wrong.append(str(error))
    if wrong:
        raise ConfigurationError("\n".join(wrong))


def discrepancies(case: Case, result: TestResult) -> Sequence[Discrepancy]:
    """Return what is not as a case expects, in the order in which it says so."""
    expect = case.expect
    found = [*_of_run(expect, result), *_of_steps(expect, result)]
    if found and expect.error is None and result.error is not None:
        found.append(Discrepancy("error", None, result.error, f"the run says: {result.error}"))
    return found


def _of_run(expect: Expected, result: TestResult) -> Iterator[Discrepancy]:
    if expect.status not in (None, result.status):
        yield Discrepancy("status", expect.status, result.status)
    if expect.has_output and not _equal(expect.output, result.output):
        yield Discrepancy("output", expect.output, result.output)
    if expect.error is not None and expect.error not in (result.error or ""):
        said = f"expected one with {_text(expect.error)} in it, found {_text(result.error)}"
        yield Discrepancy("error", expect.error, result.error, said)
    clause = missed(expect.route, result)
    if clause is not None:
        gone = passed(result)
        said = f"the run {clause}; it went through {', '.join(gone) or 'nothing'}"
        yield Discrepancy("route", list(expect.route), gone, said)


def _of_steps(expect: Expected, result: TestResult) -> Iterator[Discrepancy]:
    parts: Sequence[tuple[str, Mapping[str, Any], _Look]] = (
        ("steps", expect.steps, _look_at_status),
        ("outputs", expect.outputs, _look_at_output),
        ("attempts", expect.attempts, _look_at_attempts),
    )
    for part, expected, look in parts:
        for path, wanted in expected.items():
            one, what = _at(path, result), f"{part}.{path}"
            seen = _missing(path, result) if one is None else look(one, wanted)
            if seen is not None:
                yield Discrepancy(what, wanted, *seen)


def _look_at_status(one: _One, wanted: str) -> _Seen | None:
    words = _words(one)
    return None if wanted in words else (", ".join(words), "")


def _look_at_output(one: _One, wanted: Any) -> _Seen | None:
    if one.status != "completed":
        return None, f"the step returned nothing; it is {', '.join(_words(one))}"
    return None if _equal(one.output, wanted) else (one.output, "")


def _look_at_attempts(one: _One, wanted: int) -> _Seen | None:
    tries = one.attempts if isinstance(one, StepResult) else len(one.attempts)
    return None if tries == wanted else (tries, "")


def _at(path: str, result: TestResult) -> _One | None:
    """Return a step by its path, or the task of an element of a map step."""
    if path in result.steps:
        return result.steps[path]
    step, _, number = path.removesuffix("]").rpartition("[")
    tasks = {str(task.task_index): task for task in result.tasks.get(step, ())}
    return tasks.get(number) if path.endswith("]") else None


def _missing(path: str, result: TestResult) -> _Seen:
    """Return what there is of a step that a flow has and its run has not, at that place."""
    there = [one for one in result.steps if _ends_alike(without_numbers(one), path)]
    if there and not path.endswith("]"):
        named = " or ".join(f'"{one}"' for one in there[:3])
        return None, f"the run has that step at several places; say which, such as {named}"
    return None, "the run did not come to it"


def _ends_alike(place: str, path: str) -> bool:
    """Return whether a place is what somebody means who may leave out loops and numbers."""
    return path in (place, place.rpartition(".")[2])


def _words(one: _One) -> list[str]:
    """Return what a step may be expected to be: its status, or why it was skipped."""
    reason = one.reason if isinstance(one, StepResult) else None
    return [word for word in (one.status, reason) if word]


def _equal(one: Any, other: Any) -> bool:
    """Return whether two values are the same JSON; to Python, true is 1, too."""
    match one, other:
        case (bool(), _) | (_, bool()):
            return one is other
        case dict(), dict():
            return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
        case list(), list():
            return len(one) == len(other) and all(map(_equal, one, other))
        case _:
            return bool(one == other)


def _text(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)
