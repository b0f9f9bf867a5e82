"""All problems at once, in time that grows with the size of the definition."""

from collections.abc import Callable
from itertools import pairwise

import pytest

from dagster_pgflow.errors import InvalidFlow
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.validation.validate import ensure_valid, validate
from tests.calls import calls_of


def wide_diamond(layers: int) -> Flow:
    """Two steps a layer, each needing both of the layer before: 2 ** layers paths through."""
    flow = Flow("diamond").step("a0").step("b0")
    steps = list(flow.steps)
    for before, layer in pairwise(range(layers)):
        deps = [f"a{before}", f"b{before}"]
        one = Flow("x").step(f"a{layer}", depends_on=deps).step(f"b{layer}", depends_on=deps)
        steps += one.steps
    return flow.model_copy(update={"steps": tuple(steps)})


def chain(length: int) -> Flow:
    steps = [
        Flow("x").step(f"s{index}", depends_on=f"s{index - 1}" if index else []).steps[0]
        for index in range(length)
    ]
    return Flow("chain").model_copy(update={"steps": tuple(steps)})


def test_a_sound_flow_has_no_problems() -> None:
    assert validate(Flow("f").step("a").map("m", depends_on="a")) == ()


def test_all_problems_are_found_at_once() -> None:
    flow = (
        Flow("my flow", timeout=0, input_schema={"type": 1})
        .step("a", depends_on=["b", "ghost", "a"])
        .step("b", depends_on="a", max_attempts=-1)
        .step("b")
        .step("c", depends_on="d")
        .step("d", depends_on="c")
        .map("m", depends_on=["a", "b"], batch_size=0)
        .subflow("s", "nowhere")
        .schedule("n", "never", timezone="Moon")
    )
    assert sorted({problem.code for problem in validate(flow, known={})}) == [
        "batch-size-out-of-range",
        "dependency-cycle",
        "duplicate-step",
        "invalid-cron",
        "invalid-schema",
        "invalid-slug",
        "map-with-many-dependencies",
        "option-out-of-range",
        "self-dependency",
        "unknown-dependency",
        "unknown-subflow",
        "unknown-timezone",
    ]


def test_every_problem_has_a_code_a_path_and_a_sentence() -> None:
    flow = Flow("my flow", timeout=0).step("a", depends_on="a").schedule("n", "never")
    for problem in validate(flow):
        assert problem.code == problem.code.lower().replace(" ", "-")
        assert problem.path
        assert problem.message.endswith(".")


def test_an_invalid_flow_is_refused_with_every_problem() -> None:
    with pytest.raises(InvalidFlow) as caught:
        ensure_valid(Flow("f", timeout=0).step("a", depends_on="ghost"))
    assert [problem.code for problem in caught.value.problems] == [
        "unknown-dependency",
        "option-out-of-range",
    ]
    assert str(caught.value) == (
        'Flow "f" has 2 problems:\n'
        '  - steps.a.depends_on: Step "a" depends on "ghost", which is not a step of this flow.'
        " [unknown-dependency]\n"
        "  - options.timeout: timeout is 0; it must be from 1 to 2147483647."
        " [option-out-of-range]"
    )


def test_a_valid_flow_is_let_through() -> None:
    ensure_valid(Flow("f").step("a"))


@pytest.mark.parametrize(("flow_of", "size"), [(wide_diamond, 100), (chain, 1000)])
def test_checking_a_flow_costs_more_only_as_it_grows(
    flow_of: Callable[[int], Flow], size: int
) -> None:
    quarter, whole = flow_of(size // 4), flow_of(size)
    assert validate(whole, {}) == ()
    assert calls_of(lambda: validate(whole, {})) < 6 * calls_of(lambda: validate(quarter, {}))


def layers(count: int) -> dict[str, Flow]:
    """Flows that each run the next one twice: 2 ** count ways down."""
    flows = [
        Flow(f"layer{n}").subflow("a", f"layer{n + 1}").subflow("b", f"layer{n + 1}")
        for n in range(count)
    ]
    return {flow.slug: flow for flow in [*flows, Flow(f"layer{count}").step("x")]}


def test_checking_flows_within_flows_costs_more_only_as_they_grow() -> None:
    quarter, whole = layers(25), layers(100)
    found = [problem.code for problem in validate(whole["layer0"], whole)]
    assert found == ["too-many-steps", "too-many-levels"]
    early = calls_of(lambda: validate(quarter["layer0"], quarter))
    assert calls_of(lambda: validate(whole["layer0"], whole)) < 6 * early


def test_a_flow_that_a_thousand_steps_run_is_looked_at_once() -> None:
    steps = tuple(Flow("x").subflow(f"s{n}", "chain").steps[0] for n in range(1000))
    wide = Flow("wide").model_copy(update={"steps": steps})
    short, long = {"chain": chain(10)}, {"chain": chain(1000)}
    found = [problem.code for problem in validate(wide, long)]
    assert found == ["too-many-steps"]
    assert calls_of(lambda: validate(wide, long)) < 2 * calls_of(lambda: validate(wide, short))
