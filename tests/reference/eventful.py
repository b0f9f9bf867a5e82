"""Random runs that are worth their time: in most of those that are drawn, little happens.

To run a flow takes ten times as long as to draw it and to ask the reference about it.
"""

import re
from collections.abc import Hashable, Iterator

from hypothesis import settings
from hypothesis import strategies as st

from dagster_pgflow.model.steps import (
    BranchStep,
    JoinStep,
    LoopStep,
    MapStep,
    SingleStep,
    Step,
    SubflowStep,
)
from tests.reference.drawing import Drawn, drawn_runs
from tests.reference.endings import StepEnd
from tests.reference.expected_run import ExpectedRun
from tests.reference.failing import with_failures
from tests.reference.handlers import reference_handlers
from tests.reference.interpreter import interpret
from tests.reference.traces import fails_by_itself
from tests.reference.trees import drawn_trees

DEEP = settings().max_examples > 100
"""Whether failure steps of every kind of step are drawn, too: only in long searches."""
CANDIDATES = 5
TREES = 3
MOST_OPS = 120
MOST_OPS_OF_TREE = 50
MOST_CHILD_RUNS = 8
TASK_THINGS = (
    "together",
    "ended apart",
    "waits",
    "map",
    "failing",
    "exhausted",
    "pipelined",
    "outlived",
)

Thing = tuple[Hashable, ...]


def eventful_runs() -> st.SearchStrategy[Drawn]:
    """Draw some runs, and take the one in which most different things happen."""
    runs = drawn_runs().flatmap(with_failures) if DEEP else drawn_runs()
    candidates = st.lists(runs, min_size=CANDIDATES, max_size=CANDIDATES)
    return candidates.map(lambda drawn: max(drawn, key=eventfulness))


def eventfulness(drawn: Drawn) -> int:
    """Say how much happens in a run; what becomes of tasks counts more, for it is rarer."""
    ops = sum(len(end.batches) for end in expected_run(drawn).steps.values())
    if ops > MOST_OPS:
        return -ops
    things = things_in(drawn)
    return len(things) + 2 * sum(thing[0] in TASK_THINGS for thing in things)


def eventful_trees() -> st.SearchStrategy[Drawn]:
    """Draw some trees of subflows, and take the one in which most different things happen."""
    trees = drawn_trees().flatmap(with_failures) if DEEP else drawn_trees()
    candidates = st.lists(trees, min_size=TREES, max_size=TREES)
    return candidates.map(lambda drawn: max(drawn, key=eventfulness_of_tree))


def eventfulness_of_tree(drawn: Drawn) -> int:
    """Say how much happens to the subflows of a tree."""
    expected = expected_run(drawn)
    ops = sum(max(len(end.batches), 1) for end in expected.steps.values())
    runs = sum(drawn.is_child_run(path) for path in expected.subruns)
    if ops > MOST_OPS_OF_TREE or runs > MOST_CHILD_RUNS:
        return -ops - runs
    things = things_in_tree(drawn, expected)
    return len(things) + 2 * sum(thing[0] == "apart" and "r" in str(thing[1]) for thing in things)


def things_in_tree(drawn: Drawn, expected: ExpectedRun) -> set[Thing]:
    """Return the different things that happen to the subflows of a tree."""
    steps = drawn.steps_by_path
    found: set[Thing] = {("run", expected.status)}
    for path, end in expected.steps.items():
        name = re.sub(r"\[\d+\]", "", path)
        step, depth = steps[name], path.count(".")
        deps = [expected.steps[dep] for dep in drawn.needs_at(path, expected.steps)]
        found |= set(_things_decided(path, step, end, deps))
        routes = frozenset((dep.status, dep.routed, bool(dep.not_taken)) for dep in deps)
        found.add((step.type, end.status, end.routed, min(depth, 2), path != name))
        found.add(("apart", _runs_around(drawn, path), step.type, end.status, end.routed))
        if any(dep.routed or dep.not_taken for dep in deps):
            found.add(("behind", step.type, end.status, end.skip_reason, routes))
        if isinstance(step, SubflowStep):
            mapped = step.input is not None, step.output is not None, step.over is not None
            alone = fails_by_itself(path, expected.steps)
            found.add(("subflow", *mapped, end.status, end.routed, alone))
            found.add(("mode", step.mode, *mapped, end.status, end.routed))
        if end.routed and "child_trace" not in end.output:
            found.add(_how_caught(step, end))
        elif end.routed:
            entries = end.output["child_trace"]
            found.add(("told", frozenset(entry["status"] for entry in entries), len(entries) > 2))
            found |= {("told inside", "." in entry["step"]) for entry in entries}
    return found


def _how_caught(step: Step, end: StepEnd) -> Thing:
    """Say of which kind a step is that failed while its flow goes on, and what is told of that."""
    failure = end.failure
    assert failure is not None
    in_it = failure.cell != step.slug
    told = frozenset({"error", "step", "timeout", "join-error"} & end.output.keys())
    more = len(end.output) > len(told)
    return "caught", step.type, in_it, failure.timed_out, len(failure.members), told, more


def _runs_around(drawn: Drawn, path: str) -> str:
    """Say in which mode the flows around a step run, and which lie in iterations or items."""
    *around, _ = path.split(".")
    places = [".".join(around[: index + 1]) for index in range(len(around))]
    kinds = ["r" if drawn.is_child_run(place) else "-" for place in places]
    return "".join(kind + "*" * ("[" in place) for kind, place in zip(kinds, around, strict=True))


def _things_decided(path: str, step: Step, end: StepEnd, deps: list[StepEnd]) -> Iterator[Thing]:
    """Yield what branches, joins and loops made of it."""
    routes = frozenset((dep.status, bool(dep.not_taken), bool(dep.taken)) for dep in deps)
    match step:
        case BranchStep() | LoopStep():
            yield "routes", step.type, end.status, end.skip_reason, len(end.taken), end.again
        case JoinStep():
            yield "join", str(step.wait), end.status, len(routes)
    iterations = re.findall(r"\[(\d+)\]", path)
    if iterations:
        yield "iteration", tuple(iterations), step.type, end.status, end.skip_reason


def expected_run(drawn: Drawn) -> ExpectedRun:
    """Return what the reference tells of a run."""
    return interpret(drawn.flows[-1], drawn.by_slug, reference_handlers(), drawn.input)


def things_in(drawn: Drawn) -> set[Thing]:
    """Return the different things that happen in a run."""
    expected, steps = expected_run(drawn), drawn.steps_by_path
    found: set[Thing] = set()
    for path, end in expected.steps.items():
        step = steps[path]
        depth, scope = path.count("."), path.removesuffix(step.slug)
        before = [(steps[scope + dep], expected.steps[scope + dep]) for dep in step.depends_on]
        found.add((step.type, end.status, end.skip_reason, min(depth, 2)))
        if isinstance(step, SubflowStep):
            began = expected.subruns[path].began is not None
            found.add(("subrun", began, end.status, not before, bool(depth), end.output is None))
        if end.routed:
            found.add(_how_caught(step, end))
        found.update(_things_above(step, end, [dep for _, dep in before]))
        found.update(_things_waited_for(step, end, before))
        found.update(_things_asked(step, end, [dep for _, dep in before]))
        found.update(_things_of_tasks(step, end))
    return found


def _things_above(step: Step, end: StepEnd, deps: list[StepEnd]) -> Iterator[Thing]:
    """Yield what a step has made of what became of the steps before it."""
    for dep in deps:
        yield "below", step.type, dep.status, dep.skip_reason, dep.cascades, end.status
        if dep.status == "skipped" and len({other.status for other in deps}) > 1:
            yield "joined", step.type, dep.skip_reason
        if dep.status == "completed" and not dep.output:
            yield "falsy", step.type, repr(dep.output)
        if dep.skip_reason == "dependency_skipped":
            yield "far away", step.type


def _things_waited_for(
    step: Step, end: StepEnd, before: list[tuple[Step, StepEnd]]
) -> Iterator[Thing]:
    """Yield which kinds of steps are waited for together, and how that ends."""
    for dep, ended in before:
        if isinstance(dep, MapStep):
            others = [(other.type, its_end.status) for other, its_end in before if other is not dep]
            yield "joins", step.type, ended.status, frozenset(others), end.status == "cancelled"


def _things_asked(step: Step, end: StepEnd, deps: list[StepEnd]) -> Iterator[Thing]:
    """Yield which conditions were looked at, of what kind of step, and what came of it."""
    unmet = end.skip_reason == "condition_unmet" or (end.status == "failed" and not end.tasks)
    missing = any(dep.status == "skipped" for dep in deps)
    for name in ("if_", "if_not", "run_if", "run_unless"):
        condition = getattr(step, name)
        if condition is not None and end.status != "cancelled":
            yield name, unmet, bool(deps), step.type, step.when_unmet
            kind = condition if isinstance(condition, str) else bool(condition)
            yield "asked", kind, unmet, missing


def _things_of_tasks(step: Step, end: StepEnd) -> Iterator[Thing]:
    if not isinstance(step, SingleStep | MapStep):
        return
    yield from _things_of_batches(step, end)
    if any(task.status == "failed" for task in end.tasks):
        collects = isinstance(step, MapStep) and step.collects
        yield "exhausted", step.type, step.when_exhausted, collects, len(end.tasks) > 1
    if len(set(end.waits().values())) > 1:
        yield "waits", len(end.tasks) > 1
    if isinstance(step, MapStep) and end.tasks:
        statuses = frozenset(task.status for task in end.tasks)
        yield "map", statuses, step.collects, step.pipelined
        if step.bounds_failures:
            yield "counted", statuses, end.status, end.skip_reason, len(end.batches) > 1
        if step.pipelined:
            yield "pipelined", end.status, end.skip_reason, statuses, len(end.batches) > 1
        yield "of size", end.batch_size, len(end.tasks) > 100


def _things_of_batches(step: SingleStep | MapStep, end: StepEnd) -> Iterator[Thing]:
    hows = step.params.get("how", [""])
    for batch in end.batches:
        tasks = [end.tasks[index] for index in batch]
        together = "together" if len(tasks) > 1 else "alone"
        yield together, len(end.batches) > 1, end.status, end.skip_reason
        yield together, frozenset((task.status, task.attempts) for task in tasks)
        if len({task.attempts for task in tasks}) > 1:
            yield "ended apart", end.status, frozenset(task.status for task in tasks)
        failing = {
            hows[index % len(hows)]
            for index in batch
            if end.tasks[index].status == "failed" or end.tasks[index].attempts > 1
        }
        if failing:
            yield "failing", together, frozenset(failing), end.status
        behind = [task for task in end.tasks[batch.stop :] if task.status == "completed"]
        tries = max((task.attempts for task in behind), default=0)
        if any(task.status == "failed" and task.attempts <= tries for task in tasks):
            # What is tried no more often than what completes behind it does not end last.
            yield "outlived", end.status, end.skip_reason
