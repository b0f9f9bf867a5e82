"""When a run may go on with other definitions than those that it began with."""

import pytest

from dagster_pgflow.cli.mixed_versions import what_would_mix
from dagster_pgflow.model.flow import Flow

INNER = Flow("inner").step("x").map("y", depends_on="x")
FLOW = Flow("f").step("a").step("b").step("c", depends_on=["a", "b"]).subflow("s", "inner")
DONE = {("f", "a"), ("inner", "x")}


def reason(flow: Flow, inner: Flow | None = INNER) -> tuple[str, str] | None:
    after = {"f": flow} | ({} if inner is None else {"inner": inner})
    return what_would_mix({"f": FLOW, "inner": INNER}, after, DONE)


def other(given: Flow, slug: str, /, **fields: object) -> Flow:
    steps = [step.model_copy(update=fields) if step.slug == slug else step for step in given.steps]
    return given.model_copy(update={"steps": tuple(steps)})


def test_the_same_definitions_mix_nothing() -> None:
    assert reason(FLOW) is None


@pytest.mark.parametrize(
    "flow",
    [
        Flow("f", timeout=9, description="new", tags={"a": "b"}).model_copy(
            update={"steps": FLOW.steps}
        ),
        FLOW.schedule("n", "0 2 * * *"),
        other(FLOW, "a", description="new", options={"max_attempts": 9}),
        other(FLOW, "b", handler="other", params={"n": 1}, run_if="true"),
        other(FLOW, "c", depends_on=("b", "a")),
        FLOW.model_copy(update={"steps": FLOW.steps[::-1]}),
    ],
)
def test_what_touches_nothing_that_is_done_mixes_nothing(flow: Flow) -> None:
    assert reason(flow) is None


@pytest.mark.parametrize(
    ("flow", "told"),
    [
        (FLOW.step("d"), 'step "d" was added'),
        (FLOW.model_copy(update={"steps": FLOW.steps[:3]}), 'step "s" was removed'),
        (other(FLOW, "c", depends_on=("a",)), 'step "c" has another place in the flow'),
        (other(FLOW, "s", flow="payment"), 'step "s" has another place in the flow'),
        (other(FLOW, "a", handler="other"), 'step "a", which is done, was changed'),
        (other(FLOW, "a", run_if="true"), 'step "a", which is done, was changed'),
    ],
)
def test_what_would_mix_is_told(flow: Flow, told: str) -> None:
    assert reason(flow) == ("f", told)


def test_flows_within_count_too() -> None:
    assert reason(FLOW, None) == ("inner", "it was deleted")
    changed = other(INNER, "x", params={"n": 1})
    assert reason(FLOW, changed) == ("inner", 'step "x", which is done, was changed')
    assert reason(FLOW, other(INNER, "y", params={"n": 1})) is None
    assert reason(FLOW, other(INNER, "y", batch_size=2)) is not None
