"""What is different between what a case expects and what became of its run."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from typing import Any

from dagster_pgflow.in_process.result import StepResult
from dagster_pgflow.testing.asserted import TestResult
from dagster_pgflow.testing.cases import Case, Expected


@dataclass(frozen=True)
class Discrepancy:
    """One thing that is not as expected.

    Attributes:
        what: The part of `expect` that says otherwise, such as `steps.decline`.
        expected: What it says.
        found: What became of it.
    """

    what: str
    expected: Any
    found: Any

    def lines(self) -> Iterator[str]:
        """Yield it as a diff, for people."""
        yield self.what
        expected, found = (_text(value).splitlines() for value in (self.expected, self.found))
        if len(expected) == len(found) == 1:
            yield f"- {expected[0]}"
            yield f"+ {found[0]}"
            return
        yield from list(unified_diff(expected, found, lineterm="", n=2))[2:]


def discrepancies(case: Case, result: TestResult) -> Sequence[Discrepancy]:
    """Return what is not as a case expects, in the order in which it says so."""
    expect = case.expect
    found = [*_of_run(expect, result), *_of_steps(expect, result)]
    if found and expect.error is None and result.error is not None:
        found.append(Discrepancy("error", None, result.error))
    return found


def _of_run(expect: Expected, result: TestResult) -> Iterator[Discrepancy]:
    if expect.status not in (None, result.status):
        yield Discrepancy("status", expect.status, result.status)
    if expect.has_output and expect.output != result.output:
        yield Discrepancy("output", expect.output, result.output)
    if expect.error is not None and expect.error not in (result.error or ""):
        yield Discrepancy("error", expect.error, result.error)
    gone = [edge.start for edge in result.route if edge.start in result.steps]
    left = iter(gone)
    if not all(step in left for step in expect.route):
        yield Discrepancy("route", list(expect.route), gone)


def _of_steps(expect: Expected, result: TestResult) -> Iterator[Discrepancy]:
    for path, wanted in expect.steps.items():
        step = result.steps.get(path)
        if wanted not in _words(step):
            yield Discrepancy(f"steps.{path}", wanted, ", ".join(_words(step)) or None)
    for path, output in expect.outputs.items():
        step = result.steps.get(path)
        if step is None or step.status != "completed" or step.output != output:
            what = None if step is None else step.output
            yield Discrepancy(f"outputs.{path}", output, what)
    for path, attempts in expect.attempts.items():
        step = result.steps.get(path)
        if step is None or step.attempts != attempts:
            yield Discrepancy(f"attempts.{path}", attempts, None if step is None else step.attempts)


def _words(step: StepResult | None) -> list[str]:
    """Return what a step may be expected to be: its status, or why it was skipped."""
    return [] if step is None else [word for word in (step.status, step.reason) if word]


def _text(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)
