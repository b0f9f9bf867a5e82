"""Random flows, and inputs for them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.step import MapStep, SingleStep, Step, SubflowStep
from tests.reference.conditions import EXPRESSIONS

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
# A failure ends the story, so it is rare.
MODES = ("skip", "skip", "skip", "skip", "skip-cascade", "skip-cascade", "fail")
HOWS = ("raises", "raises", "retry_after", "final", "no_json", "nul")
LARGE = "x" * 5000

scalars = st.sampled_from(
    [
        *(None, False, True, 0, 1, -1, 0.0, -0.0, 1.0, 0.5, 1e-7, 1e22, 2**63, -(10**40)),
        *("", "a", "0", "null", "é", "漢字🙂", "a\n\\\"'"),
    ]
)
keys = st.sampled_from(["a", "b", "ok", "", "é", "dagster-pgflow"])
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=6,
)
lists = st.lists(values, max_size=5)
results = st.one_of(
    lists, lists, values, scalars, st.just([LARGE, 1]), st.integers(101, 110).map(lambda n: [0] * n)
)


@dataclass(frozen=True)
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

    def __repr__(self) -> str:
        flows = "\n".join(f"    {flow.to_json()!r}," for flow in self.flows)
        return f"Drawn.of([\n{flows}\n], {self.input!r})"

    @classmethod
    def of(cls, flows: Sequence[dict[str, Any]], flow_input: Any) -> "Drawn":
        """Read what `repr` wrote."""
        return cls(tuple(Flow.model_validate(flow) for flow in flows), flow_input)


@st.composite
def drawn_runs(draw: st.DrawFn) -> Drawn:
    """Draw flows up to three deep, and an input."""
    depth = draw(st.sampled_from([0, 0, 1, 1, 2, 3]))
    flows: list[Flow] = []
    for slug in CONTAINED[:depth]:
        flows.append(draw(flow_called(slug, [flow.slug for flow in flows], most_steps=4)))
    known = [flow.slug for flow in flows]
    flows.append(draw(flow_called(TOP, known, most_steps=MOST_STEPS)))
    return Drawn(tuple(flows), draw(values | lists))


@st.composite
def flow_called(draw: st.DrawFn, slug: str, known: Sequence[str], most_steps: int) -> Flow:
    """Draw a flow that may contain others."""
    count = draw(st.integers(min(2, most_steps), most_steps))
    slugs = draw(st.lists(st.sampled_from(SLUGS), min_size=count, max_size=count, unique=True))
    steps: list[Step] = []
    for step_slug in slugs:
        steps.append(draw(step_called(step_slug, steps, known)))
    if draw(st.integers(0, 3)) == 0:
        steps = draw(st.permutations(steps))
    attempts = draw(st.sampled_from([None, 1, 2]))
    options = {"base_delay": 0} | ({} if attempts is None else {"max_attempts": attempts})
    return Flow(slug, options=options, steps=tuple(steps))


@st.composite
def step_called(draw: st.DrawFn, slug: str, before: Sequence[Step], known: Sequence[str]) -> Step:
    """Draw a step that may depend on those before it."""
    kinds = ["single", "single", "map"] + (["subflow", "subflow"] if known else [])
    kind = draw(st.sampled_from(kinds))
    deps = draw(deps_of_map(before) if kind == "map" else deps_among(before))
    fields: dict[str, Any] = {
        "slug": slug,
        "depends_on": tuple(deps),
        **draw(conditions(deps, before)),
    }
    if kind == "subflow":
        return SubflowStep(flow=draw(st.sampled_from(known)), **fields)
    fields |= draw(work())
    fields["when_exhausted"] = draw(st.sampled_from(MODES))
    attempts = draw(st.sampled_from([None, None, 0, 1, 2, 3]))
    fields["options"] = {} if attempts is None else {"max_attempts": attempts}
    if kind == "map":
        size = draw(st.sampled_from([None, None, 1, 2, 3, 100]))
        return MapStep(batch_size=size, **fields)
    return SingleStep(**fields)


def deps_among(before: Sequence[Step]) -> st.SearchStrategy[list[str]]:
    """Dependencies; the newest steps are the likeliest, so that chains grow long."""
    slugs = [step.slug for step in reversed(before)]
    if not slugs:
        return st.just([])
    return st.lists(st.sampled_from(slugs), min_size=1, max_size=3, unique=True) | st.lists(
        st.sampled_from(slugs), max_size=3, unique=True
    )


def deps_of_map(before: Sequence[Step]) -> st.SearchStrategy[list[str]]:
    """The one dependency of a map step: mostly one that may return a list, or else none."""
    likely = [step.slug for step in before if may_return_list(step)]
    one = st.sampled_from(likely or [step.slug for step in before] or [""])
    anything = st.sampled_from([step.slug for step in before] or [""])
    chosen = st.one_of(one, one, one, one, anything, st.just(""))
    return chosen.map(lambda slug: [slug] if slug else [])


def may_return_list(step: Step) -> bool:
    """Say whether a step may well return a list."""
    if isinstance(step, SingleStep):
        return step.handler == "listed" or isinstance(step.params.get("value"), list)
    return isinstance(step, MapStep)


@st.composite
def work(draw: st.DrawFn) -> dict[str, Any]:
    """Draw what a step's handler does."""
    handler = draw(
        st.sampled_from(
            [
                *(["give"] * 3 + ["flaky"] * 3 + ["echo"] * 2 + ["pluck"] * 2 + ["listed"] * 2),
                *("about", "picky", "keyed", None),
            ]
        )
    )
    match handler:
        case "give":
            return {"handler": handler, "params": {"value": draw(results)}}
        case "flaky":
            params = {
                "failures": draw(st.integers(0, 3)),
                "how": draw(st.sampled_from(HOWS)),
                "at": draw(st.sampled_from([None, [0], [1], [1, 2]])),
            }
            own = {"value": draw(results)} if draw(st.booleans()) else {}
            return {"handler": handler, "params": params | own}
        case _:
            return {"handler": handler}


@st.composite
def conditions(draw: st.DrawFn, deps: Sequence[str], before: Sequence[Step]) -> dict[str, Any]:
    """Draw conditions on a step's input, likely and unlikely ones."""
    drawn: dict[str, Any] = {}
    for name in ("if_", "if_not"):
        if draw(st.integers(0, 4)) == 0:
            drawn[name] = draw(patterns(deps, before))
    for name in ("run_if", "run_unless"):
        if draw(st.integers(0, 7)) == 0:
            # A definition may name `output` only where there is one dependency.
            known = [text for text in EXPRESSIONS if "output" not in text or len(deps) == 1]
            drawn[name] = draw(st.sampled_from(known))
    if drawn:
        drawn["when_unmet"] = draw(st.sampled_from(MODES))
    return drawn


@st.composite
def patterns(draw: st.DrawFn, deps: Sequence[str], before: Sequence[Step]) -> dict[str, Any]:
    """Draw a pattern: part of what a dependency gives, of anything, or on no key that exists."""
    if not deps:
        return draw(st.dictionaries(keys, scalars, max_size=1))
    dep = draw(st.sampled_from([*deps, "elsewhere"]))
    given = [step.params for step in before if step.slug == dep and hasattr(step, "params")]
    likely = [part_of(params["value"]) for params in given if "value" in params]
    anything: st.SearchStrategy[Any] = st.sampled_from([{}, [], None, 0])
    return draw(st.just({}) | st.fixed_dictionaries({dep: st.one_of(*likely, *likely, anything)}))


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
        case _:
            return st.just(value)
