import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.validation.pipelines import pipelined_maps_can_begin_early
from dagster_pgflow.validation.validate import validate
from tests.unit.validation.problems import places, problems_found

FLOW = Flow("f").step("list").map("m", depends_on="list", batch_size=3)


def test_a_chain_of_pipelined_maps_is_sound() -> None:
    flow = FLOW.map("n", depends_on="m", pipelined=True)
    flow = flow.map("o", depends_on=["n", "n"], pipelined=True, when_exhausted="skip")
    assert problems_found(pipelined_maps_can_begin_early, flow) == []
    assert validate(flow) == ()


def test_a_pipelined_map_may_stand_before_the_one_that_feeds_it() -> None:
    flow = Flow("f").map("n", depends_on="m", pipelined=True).map("m")
    assert problems_found(pipelined_maps_can_begin_early, flow) == []


@pytest.mark.parametrize("deps", [[], ["list"], ["inner"]])
def test_a_pipelined_map_follows_a_map(deps: list[str]) -> None:
    flow = FLOW.subflow("inner", "other").map("n", depends_on=deps, pipelined=True)
    assert problems_found(pipelined_maps_can_begin_early, flow) == [
        (
            "pipelined-without-map",
            "steps.n.pipelined",
            (
                'Map step "n" is pipelined, but does not depend on a map step; let it depend on'
                " one, or leave pipelined out."
            ),
        )
    ]


def test_what_other_rules_say_of_its_dependencies_is_said_once() -> None:
    flow = FLOW.map("n", depends_on=["m", "list"], pipelined=True)
    flow = flow.map("o", depends_on="ghost", pipelined=True)
    flow = flow.map("p", depends_on="q", pipelined=True).map("q", depends_on="p", pipelined=True)
    assert problems_found(pipelined_maps_can_begin_early, flow) == []
    assert [problem.code for problem in validate(flow)] == [
        "unknown-dependency",
        "dependency-cycle",
        "map-with-many-dependencies",
    ]


def test_a_pipelined_map_has_no_condition_and_no_batches_of_its_own() -> None:
    flow = FLOW.map(
        "n",
        depends_on="m",
        pipelined=True,
        batch_size=1,
        if_={},
        if_not={"m": []},
        run_if="true",
        run_unless="false",
    )
    assert places(pipelined_maps_can_begin_early, flow) == [
        ("pipelined-with-condition", "steps.n.if"),
        ("pipelined-with-condition", "steps.n.if_not"),
        ("pipelined-with-condition", "steps.n.run_if"),
        ("pipelined-with-condition", "steps.n.run_unless"),
        ("pipelined-with-batch-size", "steps.n.batch_size"),
    ]
    messages = [message for *_, message in problems_found(pipelined_maps_can_begin_early, flow)]
    assert messages[2].endswith("cannot have a condition; remove run_if or pipelined.")
    assert messages[4].endswith("the batches of the map step before it; say batch_size there.")


@pytest.mark.parametrize("answer", ["skip", "skip-cascade"])
def test_what_may_be_skipped_cannot_be_joined_unless_it_collects_its_errors(answer: str) -> None:
    flow = Flow("f").map("m", when_exhausted=answer).map("n", depends_on="m", pipelined=True)  # type: ignore[arg-type]
    assert problems_found(pipelined_maps_can_begin_early, flow) == [
        (
            "pipelined-behind-a-skip",
            "steps.n.pipelined",
            (
                'Map step "n" is pipelined behind "m", whose when_exhausted is '
                f'{answer}, so elements would be on their way when it is skipped; let "m"'
                " fail or collect its errors, or leave pipelined out."
            ),
        )
    ]
    counting = Flow("f").map("m", when_exhausted=answer, max_failures=1)  # type: ignore[arg-type]
    flow = counting.map("n", depends_on="m", pipelined=True)
    assert problems_found(pipelined_maps_can_begin_early, flow) == [
        (
            "pipelined-behind-a-count",
            "steps.n.pipelined",
            (
                'Map step "n" is pipelined behind "m", whose max_failures can only be judged'
                ' when all of its elements are done; leave pipelined out, or max_failures of "m".'
            ),
        )
    ]
    collecting = Flow("f").map("m", when_exhausted=answer, collect_errors=True)  # type: ignore[arg-type]
    flow = collecting.map("n", depends_on="m", pipelined=True)
    assert problems_found(pipelined_maps_can_begin_early, flow) == []
