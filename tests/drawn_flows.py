"""Sound flows that hypothesis draws, with all that a definition may hold."""

from typing import Any

from hypothesis import strategies as st

from dagster_pgflow.model.flow import Flow, Schedule
from dagster_pgflow.model.options import FlowOptions, StepOptions
from dagster_pgflow.model.step import MapStep, SingleStep, Step, SubflowStep

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | TEXTS
    | st.sampled_from([0.5, -1.25]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=5,
)
AWKWARD_TEXTS = (
    TEXTS
    | st.text(
        st.sampled_from("\n\r\t \x85\u2028\ufeff:#-'\"|>%&*!?@`,[]{}~aé🙂\\\x7f\x1b"), max_size=12
    )
    | st.sampled_from(
        ["", "yes", "No", "null", "~", "1e3", "0x1F", "1_000", "12:30", "<<", "=", "---"]
    )
    | st.text(st.sampled_from("ab \n"), min_size=90, max_size=140)
)
AWKWARD_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | AWKWARD_TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(AWKWARD_TEXTS, inner, max_size=3),
    max_leaves=6,
)
COUNTS = st.none() | st.integers(0, 9)
SLUGS = [f"step_{letter}" for letter in "abcdef"]


Texts = st.SearchStrategy[str]
Values = st.SearchStrategy[Any]
Objects = st.SearchStrategy[dict[str, Any]]


@st.composite
def steps(draw: st.DrawFn, slug: str, earlier: list[str], objects: Objects, texts: Texts) -> Step:
    common: dict[str, Any] = {
        "slug": slug,
        "description": draw(texts),
        "options": StepOptions(
            max_attempts=draw(COUNTS),
            base_delay=draw(COUNTS),
            timeout=draw(st.none() | st.integers(1, 9)),
            start_delay=draw(COUNTS),
        ),
        "if_": draw(st.none() | objects),
        "if_not": draw(st.none() | objects),
        "run_if": draw(st.sampled_from([None, "true", "input.n > 'é'"])),
        "run_unless": draw(st.sampled_from([None, "has(deps.a)"])),
        "when_unmet": draw(st.sampled_from(["fail", "skip", "skip-cascade"])),
        "when_exhausted": draw(st.sampled_from(["fail", "skip", "skip-cascade"])),
    }
    handled: dict[str, Any] = {
        "handler": draw(st.none() | st.just("shop.price")),
        "params": draw(objects),
        "input_schema": draw(st.none() | objects),
        "output_schema": draw(st.none() | objects),
    }
    depends_on = st.lists(st.sampled_from(earlier), unique=True) if earlier else st.just([])
    match draw(st.sampled_from(["single", "map", "subflow"])):
        case "single":
            return SingleStep(**common, **handled, depends_on=tuple(draw(depends_on)))
        case "map":
            batch_size = draw(st.none() | st.integers(1, 9))
            source = tuple(draw(depends_on)[:1])
            return MapStep(**common, **handled, depends_on=source, batch_size=batch_size)
        case _:
            return SubflowStep(**common, depends_on=tuple(draw(depends_on)), flow="child")


@st.composite
def flows(draw: st.DrawFn, texts: Texts = TEXTS, values: Values = JSON) -> Flow:
    """Draw a sound flow called `f`; its subflows are all `child`."""
    objects = st.dictionaries(texts, values, max_size=3)
    schemas = st.none() | objects.map(lambda shown: {"examples": [shown]})
    count = draw(st.integers(0, len(SLUGS)))
    return Flow(
        slug="f",
        description=draw(texts),
        input_schema=draw(schemas),
        output_schema=draw(schemas),
        options=FlowOptions(
            max_attempts=draw(st.none() | st.integers(0, 2)),
            base_delay=draw(st.none() | st.integers(6, 9)),
            timeout=draw(st.none() | st.integers(1, 9)),
        ),
        tags=draw(st.dictionaries(texts, texts, max_size=2)),
        steps=tuple(
            draw(steps(SLUGS[index], SLUGS[:index], objects, texts)) for index in range(count)
        ),
        schedules=tuple(
            Schedule(
                slug=slug,
                cron="0 2 * * *",
                timezone=draw(st.sampled_from(["UTC", "Europe/Berlin"])),
                input=draw(values),
                enabled=draw(st.booleans()),
            )
            for slug in draw(st.sampled_from([[], ["A", "a"], ["z"]]))
        ),
    )
