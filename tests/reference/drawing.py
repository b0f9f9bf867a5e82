"""Random flows, and inputs for them."""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from hypothesis import strategies as st

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.steps import LoopStep, MapStep, SingleStep, Step, SubflowStep
from tests.reference.conditions import EXPRESSIONS, OF_PASSES
from tests.reference.loops import body_of, needs_of, parts_of

MOST_STEPS = 8
TOP = "top"
# Contained flows, innermost first: a flow contains only those before it.
CONTAINED = ("inner", "a__b", "config")
# Ordinary ones, and those that are not legal in Dagster as they are or meet there.
SLUGS = (
    *("a", "b", "c", "d", "e", "f", "echo", "pluck"),
    *("a__b", "b__c", "input", "class", "class_", "_a", "a_", "flow_input", "batch", "result"),
    *("a__collect", "b__fan_out", "c__input", "A", "for_a", "inner", "top", "x" * 128),
)
# A failure ends the story and a cascade ends a part of it, so they are rare.
MODES = ("skip", "skip", "skip", "skip", "skip", "skip-cascade", "skip-cascade", "fail")
HOWS = ("raises", "raises", "raises", "retry_after", "final", "final", "no_json", "nul")
# Nobody waits for these in earnest.
DELAYS = {
    "base_delay": (0, 1, 7, 9000),
    "max_delay": (0, 1, 20),
    "jitter": ("none", "full", "plus-minus"),
}
INDEX = re.compile(r"\[\d+\]")
LARGE = "x" * 5000

scalars = st.sampled_from(
    [
        *(None, False, True, 0, 1, -1, 0.0, -0.0, 1.0, 0.5, 1e-7, 1e18, 2**63, -(10**40)),
        *("", "a", "0", "null", "é", "漢字🙂", "a\n\\\"'"),
    ]
)
keys = st.sampled_from(["a", "b", "ok", "", "é", "dagster-pgflow"])
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=6,
)
lists = st.lists(values, max_size=5) | st.lists(scalars, min_size=2, max_size=7)
# No two elements are the same, so that their order shows.
counted = st.integers(2, 8).map(lambda count: list(range(count)))
# More than a hundred elements are worked on in batches, of which the last one may be smaller.
many = st.integers(101, 127).map(lambda count: list(range(count)))
large = st.just([LARGE, 1, LARGE])
results = st.one_of(*[lists] * 4, *[counted] * 5, values, values, scalars, large, many)
inputs = st.one_of(
    counted, lists, values, st.dictionaries(keys, scalars | counted, min_size=1, max_size=4)
)


@dataclass(frozen=True, repr=False)
class Drawn:
    """A flow, those that it contains, and an input.

    Attributes:
        flows: The flows, each behind those that it contains; the last one runs.
        input: The flow input.
    """

    flows: tuple[Flow, ...]
    input: Any

    @property
    def by_slug(self) -> dict[str, Flow]:
        """The flows by slug."""
        return {flow.slug: flow for flow in self.flows}

    @cached_property
    def steps_by_path(self) -> dict[str, Step]:
        """The steps of the flow and of those that it contains, by their paths without indexes."""
        return {path: step for path, (step, _) in self._places.items()}

    @cached_property
    def _places(self) -> dict[str, tuple[Step, set[str]]]:
        """The same with the slugs of the steps that must have ended before."""
        return {path: (step, needs) for path, step, needs in self._steps_within(TOP, "")}

    def step_at(self, path: str) -> Step:
        """Return the step at a path, with or without the indexes of items."""
        return self.steps_by_path[INDEX.sub("", path)]

    def is_child_run(self, path: str) -> bool:
        """Return whether what runs at a path is a Dagster run of its own."""
        step = self.step_at(path)
        return isinstance(step, SubflowStep) and step.mode == "run"

    def runs_iterations(self, path: str) -> bool:
        """Return whether a path is that of a loop whose iterations are Dagster runs."""
        step = self.step_at(path)
        return isinstance(step, LoopStep) and step.runs_iterations(in_items=False)

    def needs_at(self, path: str, known: Collection[str]) -> list[str]:
        """Return the paths of the steps that must have ended before the one at a path.

        Args:
            path: The step.
            known: The paths of all steps; those outside of a loop stand outside of its iterations.
        """
        step, needs = self._places[INDEX.sub("", path)]
        return [_place_of(slug, path.removesuffix(step.slug), known) for slug in needs]

    def _steps_within(self, slug: str, scope: str) -> Iterator[tuple[str, Step, set[str]]]:
        flow = self.by_slug[slug]
        yield from self._part(flow, flow.steps, None, scope)

    def _part(
        self, flow: Flow, steps: Iterable[Step], around: LoopStep | None, scope: str
    ) -> Iterator[tuple[str, Step, set[str]]]:
        for step in parts_of(flow, steps, around):
            path = f"{scope}{step.slug}"
            yield path, step, needs_of(flow, step, around)
            if isinstance(step, SubflowStep):
                yield from self._steps_within(step.flow, f"{path}.")
            elif isinstance(step, LoopStep) and step is not around:
                yield from self._part(flow, body_of(flow, step), step, f"{path}.")

    def __repr__(self) -> str:
        flows = "\n".join(f"    {flow.to_json()!r}," for flow in self.flows)
        return f"Drawn.of([\n{flows}\n], {self.input!r})"

    @classmethod
    def of(cls, flows: Sequence[dict[str, Any]], flow_input: Any) -> "Drawn":
        """Read what `repr` wrote."""
        return cls(tuple(Flow.model_validate(flow) for flow in flows), flow_input)


def _place_of(slug: str, scope: str, known: Collection[str]) -> str:
    while f"{scope}{slug}" not in known:
        assert scope, slug
        outer = scope.removesuffix(".").rpartition(".")[0]
        scope = f"{outer}." if outer else ""
    return f"{scope}{slug}"


@st.composite
def drawn_runs(draw: st.DrawFn) -> Drawn:
    """Draw flows up to three deep, and an input."""
    flow_input = draw(inputs)
    depth = draw(st.sampled_from([0, 0, 1, 1, 1, 2, 3]))
    flows: list[Flow] = []
    for slug in CONTAINED[:depth]:
        surroundings = Surroundings(None, [flow.slug for flow in flows])
        flows.append(draw(flow_called(slug, surroundings, most_steps=4)))
    surroundings = Surroundings(flow_input, [flow.slug for flow in flows])
    flows.append(draw(flow_called(TOP, surroundings, most_steps=MOST_STEPS)))
    return Drawn(tuple(flows), flow_input)


@dataclass(frozen=True)
class Surroundings:
    """What is known where a flow is drawn.

    Attributes:
        input: Its input, when that is known.
        flows: The flows that it may contain.
        before: The steps drawn so far.
        hidden: Those of them that are out of sight.
    """

    input: Any
    flows: Sequence[str]
    before: tuple[Step, ...] = ()
    hidden: frozenset[str] = frozenset()

    @property
    def slugs(self) -> list[str]:
        """The steps in sight, newest first: these are the likeliest, so chains grow long."""
        return [step.slug for step in self._seen]

    @property
    def lists(self) -> list[str]:
        """What may well be a list: steps, or "" for the flow input."""
        steps = [step.slug for step in self._seen if may_return_list(step)]
        return steps + ([""] if isinstance(self.input, list) else [])

    @property
    def _seen(self) -> list[Step]:
        """The steps that are not hidden, and that no loop repeats."""
        flow = Flow("f", steps=self.before)
        loops = [step for step in self.before if isinstance(step, LoopStep)]
        repeated = {step.slug for loop in loops for step in body_of(flow, loop) if step is not loop}
        out_of_sight = self.hidden | repeated
        return [step for step in reversed(self.before) if step.slug not in out_of_sight]

    @property
    def expressions(self) -> list[str]:
        """What conditions may ask."""
        return [text for text in EXPRESSIONS if text not in OF_PASSES]


@st.composite
def flow_called(draw: st.DrawFn, slug: str, around: Surroundings, most_steps: int) -> Flow:
    """Draw a flow that may contain others."""
    count = draw(st.integers(min(2, most_steps), most_steps))
    slugs = draw(st.lists(st.sampled_from(SLUGS), min_size=count, max_size=count, unique=True))
    for step_slug in slugs:
        step = draw(step_called(step_slug, around))
        around = replace(around, before=(*around.before, step))
    steps = around.before
    if draw(st.integers(0, 3)) == 0:
        steps = tuple(draw(st.permutations(steps)))
    options = draw(delays(4))
    if draw(st.booleans()):
        options["max_attempts"] = draw(st.sampled_from([1, 2, 3, 4]))
    return Flow(slug, options=options, steps=steps)


@st.composite
def step_called(draw: st.DrawFn, slug: str, around: Surroundings) -> Step:
    """Draw a step that may depend on those before it."""
    kinds = ["single"] * 3 + ["map"] * 4 + ["subflow"] * (2 if around.flows else 0)
    kind = draw(st.sampled_from(kinds))
    if kind == "map" and not around.lists and draw(st.integers(1, 9)) < 9:
        # Nothing else ends so many runs too early as a map over what is no list.
        kind = "single"
    deps = draw(deps_of_map(around) if kind == "map" else deps_among(around))
    # What is named twice counts once.
    twice = deps[:1] if draw(st.integers(0, 14)) == 14 else []
    fields: dict[str, Any] = {"slug": slug, "depends_on": (*deps, *twice)}
    if kind == "subflow":
        flow = draw(st.sampled_from(around.flows))
        return SubflowStep(flow=flow, **fields, **draw(conditions(deps, around)))
    fields |= draw(work(kind))
    # A map that is to be overtaken fails its run.
    fields["when_exhausted"] = draw(st.sampled_from(MODES + ("fail", "fail") * (kind == "map")))
    fields["options"] = draw(options_of_step())
    if kind == "single":
        return SingleStep(**fields, **draw(conditions(deps, around)))
    fields["collect_errors"] = draw(st.integers(0, 3)) == 0
    fields |= draw(bounds())
    if any(step.slug in deps and may_be_overtaken(step) for step in around.before):
        return MapStep(pipelined=True, **fields)
    size = draw(st.sampled_from([None, None, 1, 2, 2, 2, 3, 3, 4, 100]))
    return MapStep(batch_size=size, **fields, **draw(conditions(deps, around)))


def may_be_overtaken(step: Step) -> bool:
    """Return whether a map may be pipelined behind a step."""
    if not isinstance(step, MapStep) or step.bounds_failures:
        return False
    return step.when_exhausted == "fail" or step.collect_errors


@st.composite
def bounds(draw: st.DrawFn) -> dict[str, Any]:
    """Draw how many elements of a map may fail."""
    kind = draw(st.sampled_from([None] * 6 + ["max_failures", "max_failures_percent", "both"]))
    few, percent = draw(st.integers(0, 3)), draw(st.sampled_from([0, 10, 33, 50, 100]))
    drawn = {"max_failures": few, "max_failures_percent": percent}
    return drawn if kind == "both" else {kind: drawn[kind]} if kind else {}


@st.composite
def options_of_step(draw: st.DrawFn) -> dict[str, Any]:
    """Draw how patient a step is."""
    drawn = draw(delays(1))
    attempts = draw(st.sampled_from([None, None, None, None, 0, 1, 2, 3, 3, 4]))
    drawn |= {} if attempts is None else {"max_attempts": attempts}
    delay = draw(st.sampled_from([None, None, None, None, 0, 2]))
    if delay is None:
        return drawn
    return drawn | {"start_delay": delay}


@st.composite
def delays(draw: st.DrawFn, often: int) -> dict[str, Any]:
    """Draw some of the options that say how long to wait, each `often` out of ten times."""
    return {
        name: draw(st.sampled_from(values))
        for name, values in DELAYS.items()
        if draw(st.integers(1, 10)) > 10 - often
    }


def deps_among(around: Surroundings) -> st.SearchStrategy[list[str]]:
    """Dependencies."""
    if not around.slugs:
        return st.just([])
    slugs = st.sampled_from(around.slugs)
    return st.lists(slugs, min_size=1, max_size=3, unique=True) | st.lists(
        slugs, max_size=3, unique=True
    )


def deps_of_map(around: Surroundings) -> st.SearchStrategy[list[str]]:
    """The one dependency of a map step: mostly one that may return a list, or else none."""
    anything = st.sampled_from([*around.slugs, ""])
    likely = st.sampled_from(around.lists) if around.lists else anything
    chosen = st.one_of(*[likely] * 15, anything)
    return chosen.map(lambda slug: [slug] if slug else [])


def may_return_list(step: Step) -> bool:
    """Return whether a step may well return a list."""
    if isinstance(step, SingleStep):
        return step.handler == "listed" or isinstance(step.params.get("value"), list)
    return isinstance(step, MapStep)


@st.composite
def work(draw: st.DrawFn, kind: str) -> dict[str, Any]:
    """Draw what a step's handler does."""
    handler = draw(
        st.sampled_from(
            [
                *(["give"] * 8 + ["flaky"] * 18 + ["echo"] * 3 + ["pluck"] * 4 + ["listed"] * 4),
                *("about", "about", "about", "picky", "picky", "keyed", None),
            ]
        )
    )
    match handler:
        case "give":
            return {"handler": handler, "params": {"value": draw(results)}}
        case "flaky":
            params: dict[str, Any] = {
                "failures": draw(st.sampled_from([1, 1, 1, 1, 2, 2, 4, 4])),
                "how": [draw(st.sampled_from(HOWS))],
                "at": None,
                "more": 0,
            }
            if kind == "map":
                params["at"] = draw(st.sampled_from([None, [0], [0], [1], [1], [2], [1, 2]]))
                params["more"] = draw(st.sampled_from([0, 0, 1]))
                params["how"] += draw(st.sampled_from([[], *([how] for how in HOWS)]))
            own = {"value": draw(results)} if draw(st.integers(0, 3)) else {}
            return {"handler": handler, "params": params | own}
        case _:
            return {"handler": handler}


@st.composite
def conditions(draw: st.DrawFn, deps: Sequence[str], around: Surroundings) -> dict[str, Any]:
    """Draw conditions on a step's input, likely and unlikely ones."""
    drawn: dict[str, Any] = {}
    for name, seldom in (("if_", 6), ("if_not", 8)):
        if draw(st.integers(1, seldom)) == seldom:
            drawn[name] = draw(patterns(deps, around))
    for name in ("run_if", "run_unless"):
        if draw(st.integers(1, 7)) == 7:
            # A definition may name `output` only where there is one dependency.
            known = [text for text in around.expressions if "output" not in text or len(deps) == 1]
            drawn[name] = draw(st.sampled_from(known))
    if drawn:
        drawn["when_unmet"] = draw(st.sampled_from(MODES))
    return drawn


@st.composite
def patterns(draw: st.DrawFn, deps: Sequence[str], around: Surroundings) -> dict[str, Any]:
    """Draw a pattern: part of what a dependency gives, of anything, or on no key that exists."""
    if not deps:
        likely = part_of(around.input) if isinstance(around.input, dict) else st.just({})
        return draw(st.one_of(likely, likely, st.dictionaries(keys, scalars, max_size=1)))
    dep = draw(st.sampled_from([*deps, *deps, "elsewhere"]))
    given = [step.params for step in around.before if step.slug == dep and hasattr(step, "params")]
    known = [part_of(params["value"]) for params in given if "value" in params]
    anything: st.SearchStrategy[Any] = st.sampled_from([{}, [], None, 0])
    return draw(st.fixed_dictionaries({dep: st.one_of(*known, *known, *known, anything)}))


def part_of(value: Any) -> st.SearchStrategy[Any]:
    """Patterns that a value contains, or nearly."""
    match value:
        case dict() if value:
            some = st.sets(st.sampled_from(sorted(value)))
            return some.flatmap(
                lambda kept: st.fixed_dictionaries({key: part_of(value[key]) for key in kept})
            )
        case list() if value:
            return st.lists(st.sampled_from(value).flatmap(part_of), max_size=2)
        case bool() | 0 | 1:
            # These are not the same in JSON, though they are in Python; zero is, with any sign.
            return st.sampled_from([value, value, value, bool(value), int(value), -0.0, 1.0])
        case _:
            return st.just(value)
