"""Random trees of subflows, with mappings, failure steps and lists of items."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from itertools import count as counted
from typing import Any

from hypothesis import strategies as st

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.graph import leaves
from dagster_pgflow.model.steps import MapStep, SingleStep, Step, SubflowStep
from dagster_pgflow.validation.validate import validate
from tests.reference.conditions import EXPRESSIONS
from tests.reference.drawing import (
    CONTAINED,
    MODES,
    TOP,
    Drawn,
    Surroundings,
    bounds,
    conditions,
    delays,
    deps_among,
    deps_of_map,
    may_be_overtaken,
    options_of_step,
    scalars,
    work,
)
from tests.reference.forks import branched, harmless, joined, looped

SLUGS: tuple[str, ...] = (
    "a",
    "b",
    "c",
    "d",
    "e",
    "f",
    "echo",
    "pluck",
    "config",
    "a__b",
    "input",
    "class_",
    "b__c",
)
SLUGS += (*"ghijklmnopqrstuvwxyz", "l__iteration_1", "a__begin", "class")
KEYS = ("a", "b", "ok")
SCHEMAS = (None, None, None, None, None, {"type": "object"}, {"type": "object", "required": ["a"]})
literals = scalars | st.sampled_from(
    [[], {}, [1, [2]], {"a": {"b": 1}}, "$$nodes.a", "100 $", "$$"]
)
items = st.lists(st.one_of(scalars, st.lists(scalars, max_size=3)), max_size=4)
inputs = st.one_of(
    items,
    st.dictionaries(st.sampled_from(KEYS), items | scalars, min_size=1),
    st.fixed_dictionaries({"a": items, "b": st.fixed_dictionaries({"a": items})}),
)


@dataclass(frozen=True)
class Grown(Surroundings):
    """What a step of a tree may refer to.

    Attributes:
        known: The flows that may be contained, by slug.
        mishaps: How many of ten steps may fail.
        schemas: Those of the flow.
    """

    known: Mapping[str, Flow] | None = None
    mishaps: int = 10
    schemas: Mapping[str, Any] = field(default_factory=dict)

    @property
    def expressions(self) -> list[str]:
        """What conditions may ask."""
        return list(EXPRESSIONS)


@st.composite
def drawn_trees(draw: st.DrawFn) -> Drawn:
    """Draw flows two or three deep, and an input."""
    flow_input = draw(inputs)
    known: dict[str, Flow] = {}
    for slug in CONTAINED[: draw(st.sampled_from([1, 2, 2, 3]))]:
        pretended = draw(st.sampled_from([None, None, [1]]))
        around = Grown(pretended, list(known), known=dict(known), mishaps=10 - 4 * bool(known))
        known[slug] = draw(flow_in_tree(slug, around, most_steps=5))
    around = Grown(flow_input, list(known), known=known, mishaps=2)
    top = draw(flow_in_tree(TOP, around, most_steps=8))
    return Drawn((*known.values(), top), flow_input)


@st.composite
def flow_in_tree(draw: st.DrawFn, slug: str, around: Grown, most_steps: int) -> Flow:
    """Draw a flow that contains others, if there are any."""
    count = draw(st.integers(2, most_steps))
    if slug != TOP:
        schemas = {
            "input_schema": draw(st.sampled_from(SCHEMAS)),
            "output_schema": draw(st.sampled_from((None, *SCHEMAS))),
        }
        around = replace(around, schemas=schemas)
    # Loops in loops use up many names; there is always another one.
    others = (f"step_{number}" for number in counted(1))
    names = chain(draw(st.permutations(SLUGS)), others)
    while len(around.before) < count:
        around = replace(around, before=draw(steps_called(names, slug, around)))
    options = draw(delays(3))
    if draw(st.booleans()):
        options["max_attempts"] = draw(st.sampled_from([1, 1, 2, 3]))
    return Flow(slug, options=options, steps=around.before, **around.schemas)


@st.composite
def steps_called(
    draw: st.DrawFn, names: Iterator[str], flow: str, around: Grown
) -> tuple[Step, ...]:
    """Draw one more step, or a subflow and its failure step; return all steps."""
    kinds = ["single"] * 3 + ["map"] * 2 * bool(around.lists) + ["subflow"] * 4 * bool(around.flows)
    kinds += ["branch", "branch", "loop"] + ["join"] * (len(around.slugs) > 1)
    match draw(st.sampled_from(kinds)):
        case "branch":
            return draw(branched(names, flow, around, steps_called))
        case "loop":
            return draw(looped(names, flow, around, steps_called))
        case "join":
            return draw(joined(next(names), around))
        case "subflow":
            step = draw(subflow_called(next(names), flow, around, draw(deps_among(around))))
            if draw(st.integers(0, 9)) < 4:
                return (*around.before, step)
            return draw(routed(step, next(names), flow, around))
        case kind:
            return (*around.before, draw(handled(next(names), kind, around)))


@st.composite
def routed(
    draw: st.DrawFn, step: SubflowStep, slug: str, flow: str, around: Grown
) -> tuple[Step, ...]:
    """Draw the failure step of a subflow step; return all steps."""
    others = draw(st.lists(st.sampled_from(around.slugs), max_size=1)) if around.slugs else []
    deps = draw(st.permutations([step.slug, *others]))
    fields: dict[str, Any] = {"slug": slug, "depends_on": tuple(deps)}
    step = step.model_copy(update={"on_failure": slug})
    if draw(st.integers(0, 3)) == 0:
        behind = replace(around, before=(*around.before, step))
        failure_step: Step = draw(subflow_called(slug, flow, behind, deps))
    else:
        failure_step = SingleStep(**fields, **draw(harmless()))
    return (*around.before, step, failure_step)


@st.composite
def handled(draw: st.DrawFn, slug: str, kind: str, around: Grown) -> Step:
    """Draw a step with a handler."""
    deps = draw(deps_of_map(around) if kind == "map" else deps_among(around))
    fields: dict[str, Any] = {"slug": slug, "depends_on": tuple(deps)}
    if draw(st.integers(1, 10)) <= around.mishaps:
        fields |= draw(work(kind)) | {
            "when_exhausted": draw(st.sampled_from(MODES + ("fail",) * 5))
        }
        fields["options"] = draw(options_of_step())
    else:
        fields |= draw(harmless())
    asked = draw(conditions(deps, around)) if draw(st.booleans()) else {}
    if kind == "single":
        return SingleStep(**fields, **asked)
    fields["collect_errors"] = draw(st.integers(0, 4)) == 0
    fields |= draw(bounds())
    if any(step.slug in deps and may_be_overtaken(step) for step in around.before):
        return MapStep(pipelined=True, **fields)
    return MapStep(batch_size=draw(st.sampled_from([None, 1, 2, 100])), **fields, **asked)


@st.composite
def subflow_called(
    draw: st.DrawFn, slug: str, flow: str, around: Grown, deps: Sequence[str]
) -> SubflowStep:
    """Draw a subflow step, the likelier one of the flows that contain others too."""
    assert around.known is not None
    child = around.known[draw(st.sampled_from([*around.flows, around.flows[-1]]))]
    fields: dict[str, Any] = {"slug": slug, "flow": child.slug, "depends_on": tuple(deps)}
    fields["mode"] = draw(st.sampled_from(["inline", "run"]))
    asked = draw(conditions(deps, around)) if draw(st.integers(0, 2)) == 0 else {}
    mapped: dict[str, Any] = {}
    if draw(st.integers(0, 4)) < 2:
        whole = [f"$nodes.{dep}.{key}" for dep in deps for key in ("a", "b")]
        lists = [slug for slug in around.lists if slug in deps]
        likely = [*(lists * 4), "$input", "$input.a", "$input.b.a", *deps, *whole]
        mapped["over"] = draw(st.sampled_from(likely))
    if draw(st.booleans()):
        mapped["input"] = draw(templates(deps, around, of_item="over" in mapped))
    if draw(st.integers(0, 2)) == 0:
        mapped["output"] = draw(picks([leaf.slug for leaf in leaves(child)]))
    # Some definitions are refused: over a list inside a list, with a field that is not there.
    kept = [
        {name: value for name, value in mapped.items() if name not in left_out}
        for left_out in ([], ["over"], ["over", "input"], ["over", "input", "output"])
    ]
    for tried in [*kept, {"input": {"a": "$input"}}]:
        step = SubflowStep(**fields, **asked, **tried)
        known = {**around.known, flow: Flow(flow, steps=(*around.before, step), **around.schemas)}
        if not validate(known[flow], known):
            break
    return step


@st.composite
def templates(
    draw: st.DrawFn, deps: Sequence[str], around: Grown, *, of_item: bool
) -> dict[str, Any]:
    """Draw what a subflow receives."""
    roots = ["$input"] + [f"$nodes.{dep}" for dep in deps] + ["$item"] * 3 * of_item
    roots += [
        f"$nodes.{step.slug}.{leaf.slug}"
        for step in around.before
        if isinstance(step, SubflowStep) and step.slug in deps and step.output is None
        for leaf in leaves((around.known or {})[step.flow])
    ]
    roots += [
        f"$nodes.{step.slug}.error"
        for step in around.before
        if isinstance(step, SubflowStep) and step.slug in deps and step.on_failure
    ]
    paths = ["", "", "", "", "", "", ".a", ".b.a", ".0", "[0]"]
    references = st.builds(str.__add__, st.sampled_from(roots), st.sampled_from(paths))
    texts = references.map(lambda reference: f"<${{{reference}}}>")
    leaf = st.one_of(references, references, references, literals, texts)
    nested = st.one_of(leaf, leaf, leaf, st.lists(leaf, max_size=2))
    return draw(st.dictionaries(st.sampled_from(KEYS), nested, min_size=1))


@st.composite
def picks(draw: st.DrawFn, final: Sequence[str]) -> Any:
    """Draw what a subflow step returns."""
    paths = st.sampled_from(["", "", "", "", "", ".a", ".0"])
    reference = st.builds(str.__add__, st.sampled_from([f"$nodes.{slug}" for slug in final]), paths)
    picked = st.fixed_dictionaries({"a": reference}, optional={"b": literals})
    return draw(st.one_of(reference, reference, picked))
