"""Drawn manifests in real Dagster, and what is seen of them there."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from dagster_pgflow.dsl.manifest.compile_names import slug_of_name
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.graph import leaves
from dagster_pgflow.runtime import attempt
from dagster_pgflow.runtime.context import StepContext
from tests.execution.harness import Result, run
from tests.manifests_reference.doings import HANDLERS, WORK, work
from tests.manifests_reference.drawing import Drawn
from tests.manifests_reference.interpreter import (
    UNKNOWN,
    WORD,
    Data,
    Outcome,
    Surroundings,
    TooLate,
    Visit,
    interpreted,
)

Seen = tuple[str, Data]
"""The step of a cell, and what its handler was given."""


@dataclass
class Notes:
    """What handlers were called with.

    Attributes:
        calls: The calls, in their order.
    """

    calls: list[Seen] = field(default_factory=list)

    def handlers(self) -> dict[str, Callable[..., Any]]:
        """Return the handlers of drawn manifests, of which those of cells are noted."""

        def noted(data: Any, ctx: StepContext) -> Any:
            self.calls.append((ctx.step_slug, data))
            return work(data, ctx.params)

        plain = {name: _without_params(does) for name, does in HANDLERS.items()}
        return plain | {WORK: noted}


def _without_params(does: Callable[[Any, Mapping[str, Any]], Any]) -> Callable[[Any], Any]:
    return lambda data: does(data, {})


@contextmanager
def handlers_that_are_late() -> Iterator[None]:
    """Let attempts end by their timeout whose handler says so, without any waiting."""
    module = vars(attempt)
    real = module["_within"]

    def within(timeout: float, call: Callable[[], Any]) -> Any:
        ended = real(timeout, call)
        error = None if ended is None or ended.error is None else ended.error.__cause__
        return None if isinstance(error, TooLate) else ended

    module["_within"] = within
    try:
        yield
    finally:
        module["_within"] = real


def expected(drawn: Drawn, data: Data) -> Outcome:
    """Return what the rules say of a run."""
    flows: dict[str, Any] = {}
    _gather(drawn, flows)
    asked = {cel: one.holds for cel, one in drawn.predicates.items()}
    return interpreted(drawn.manifest, data, Surroundings(HANDLERS, flows, asked))


def _gather(drawn: Drawn, flows: dict[str, Any]) -> None:
    for slug, child in drawn.children.items():
        flows[slug] = child.manifest
        _gather(child, flows)


def differences(drawn: Drawn, flow: Flow, others: Sequence[Flow], data: Data) -> list[str]:
    """Run a flow; return in what it differs from what the rules say of its manifest."""
    wanted, notes = expected(drawn, data), Notes()
    with handlers_that_are_late():
        result = run(flow, data, others=others, handlers=notes.handlers())
    status = "completed" if result.success else "failed"
    found = []
    if status != wanted.status:
        found.append(f"status: {status}, not {wanted.status} ({wanted.reason}); {result.errors}")
    joins = [join.cells for join in drawn.manifest.joins.values()]
    for child in drawn.children.values():
        joins += [join.cells for join in child.manifest.joins.values()]
    together = [{slug_of_name(cell) for cell in cells} for cells in joins]
    called = in_any_order([(slug, plain(given)) for slug, given in notes.calls], together)
    meant = in_any_order([_seen(visit) for visit in wanted.route], together)
    if called != meant:
        at = next(
            (at for at, pair in enumerate(zip(called, meant, strict=False)) if pair[0] != pair[1]),
            min(len(called), len(meant)),
        )
        found.append(f"route: call {at}: {called[at:][:1]}, not {meant[at:][:1]}")
    if status == wanted.status == "completed":
        output = plain(output_of(flow, result))
        if output != plain(wanted.output):
            found.append(f"output: {output}, not {plain(wanted.output)}")
    return found


def output_of(flow: Flow, result: Result) -> Any:
    """Return the output of a run: what its final steps returned, laid over each other."""
    output: Data = {}
    for step in leaves(flow):
        output |= result.outputs.get(step.slug, {})
    return output


def _seen(visit: Visit) -> Seen:
    return slug_of_name(visit.cell.rpartition("/")[2]), plain(visit.handed)


def in_any_order(calls: Sequence[Seen], together: Sequence[set[str]]) -> list[Seen]:
    """Return calls with those of members of a join, which may run in any order, in one."""
    ordered: list[Seen] = []
    waiting: list[Seen] = []
    for call in (*calls, ("", {})):
        at = next((cells for cells in together if call[0] in cells), None)
        if waiting and (at is None or waiting[0][0] not in at):
            ordered += sorted(waiting, key=repr)
            waiting = []
        if at is None:
            ordered.append(call)
        else:
            waiting.append(call)
    return ordered[:-1]


def plain(data: Any) -> Any:
    """Return a data map whose errors say no more than the rules do."""
    if not isinstance(data, dict):
        return data
    made = {key: value for key, value in data.items() if key != "child_trace"}
    if isinstance(made.get("error"), dict):
        made["error"] = _plain_error(made["error"])
    if isinstance(made.get("join-error"), list):
        made["join-error"] = [_plain_error(one) for one in made["join-error"]]
    return made


def _plain_error(error: Mapping[str, Any]) -> dict[str, str]:
    word = WORD.search(str(error.get("message")))
    cell = slug_of_name(str(error.get("cell")))
    return {"cell": cell, "message": word[0] if word else UNKNOWN}
