"""Jobs: what the Dagster UI shows of a flow, broken ones included."""

from typing import Any

import dagster as dg
import pytest
from pydantic import BaseModel

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.names import FLOW_INPUT, TAG_FLOW
from tests.execution.harness import gives, job_of, run
from tests.unit.compiler.locations import emitter


class Order(BaseModel):
    order_id: str
    lines: list[int]


def default_input(job: dg.JobDefinition) -> Any:
    assert job.run_config is not None
    return job.run_config["inputs"][FLOW_INPUT]


def test_a_job_is_called_and_described_as_its_flow() -> None:
    job = job_of(Flow("order", description="Sells things.").step("a").step("b"))
    assert job.name == "order"
    assert job.description == "Sells things.\n\nFlow `order` with 2 steps, stored in Postgres."
    assert job_of(Flow("f").step("a")).description == "Flow `f` with 1 step, stored in Postgres."


def test_a_job_has_the_tags_of_its_flow_and_those_that_name_its_version() -> None:
    flow = Flow("f", tags={"team": "x"}).step("a")
    job = emitter([flow]).job("f", {TAG_FLOW: "f", "dagster-pgflow/version": "3"})
    assert job.tags == {
        "pgflow/team": "x",
        TAG_FLOW: "f",
        "dagster-pgflow/version": "3",
        ".dagster/pgflow_max_recoveries": "3",
    }


def test_the_job_of_a_flow_says_how_often_its_runs_go_on_by_themselves() -> None:
    job = job_of(Flow("f", max_recoveries=0).step("a"))
    assert job.tags[".dagster/pgflow_max_recoveries"] == "0"


def test_a_job_is_made_once() -> None:
    make = emitter([Flow("f").step("a")])
    assert make.job("f", {}) is make.job("f", {})


def test_an_example_of_the_input_is_shown_and_never_what_a_run_gets() -> None:
    job = job_of(Flow("f", input_schema=Order).step("a"))
    assert default_input(job) == {}
    assert '"order_id": ""' in (job.description or "")
    assert "An input looks like this" in job_of(Flow("f").map("m")).description  # type: ignore[operator]
    assert "looks like" not in job_of(Flow("f").step("a")).description  # type: ignore[operator]


def test_the_launchpad_shows_the_defaults_which_a_run_gets_anyway() -> None:
    class Options(BaseModel):
        level: str = "info"
        folder: str

    job = job_of(Flow("f", input_schema=Options).step("a"))
    assert default_input(job) == {"level": "info"}


@pytest.mark.parametrize(
    "default", [{"__class__": "SensorTick"}, "x" * 5000, list(range(2000)), 10**400]
)
def test_a_default_that_dagster_should_not_have_is_filled_in_later(default: Any) -> None:
    schema = {"type": "object", "properties": {"d": {"default": default}}}
    flow = Flow("f", input_schema=schema).step("a", "echo")
    assert default_input(job_of(flow)) == {}
    assert run(flow, {}).outputs == {"a": {"d": default}}


@pytest.mark.parametrize("value", [None, 0, False, "", "text", [], [1, {"a": None}], {}, {"a": 1}])
def test_the_launchpad_takes_any_json_as_it_is(value: Any) -> None:
    job = job_of(Flow("f").step("a", "echo"))
    assert dg.validate_run_config(job, {"inputs": {FLOW_INPUT: value}})


def test_one_type_describes_every_input_and_output() -> None:
    job = job_of(Flow("f").step("a").map("m", depends_on="a"))
    kinds = {kind.display_name for kind in job.all_dagster_types() if not kind.is_builtin}
    assert kinds == {"JSON"}


def test_a_flow_that_says_what_it_takes_has_a_type_for_its_input() -> None:
    child = Flow("child", input_schema={"type": "object"}).step("a")
    flow = Flow("f", input_schema=Order).subflow("s", child).map("m", depends_on="s")
    kinds = {kind.display_name for kind in job_of(flow, [child]).all_dagster_types()}
    assert {"JSON", "Input of f", "Input of child"} <= kinds


BROKEN = Flow("broken", input_schema={"type": 5}).step("x", depends_on="ghost").step("x")


def test_a_broken_flow_has_a_job_that_says_everything_that_is_wrong() -> None:
    job = job_of(BROKEN)
    told = job.description or ""
    assert told.startswith('**This flow cannot run.**\n\nFlow "broken" has')
    for code in ("duplicate-step", "unknown-dependency", "invalid-schema"):
        assert f"[{code}]" in told


def test_a_broken_flow_fails_at_once_with_everything_that_is_wrong() -> None:
    result = run(BROKEN, {})
    assert not result.success
    assert list(result.errors) == ["problems"]
    assert "[duplicate-step]" in result.error
    assert "[unknown-dependency]" in result.error
    assert result.retries == {}


def test_a_flow_that_contains_a_broken_one_fails_at_once() -> None:
    flow = Flow("f").step("a", **gives(1)).subflow("s", BROKEN)
    result = run(flow, {}, others=[BROKEN])
    assert list(result.errors) == ["problems"]
    assert "broken.steps.x" in result.error


def test_a_flow_without_steps_says_how_to_add_one() -> None:
    assert "add one with pgflow.add_step" in run(Flow("f"), {}).error


def test_a_broken_flow_does_not_disturb_the_others() -> None:
    make = emitter([BROKEN, Flow("good").step("a")])
    assert make.job("broken", {}).name == "broken"
    assert make.job("good", {}).description == "Flow `good` with 1 step, stored in Postgres."


@pytest.mark.parametrize(
    "others",
    [[Flow("b").subflow("s", "c"), Flow("c").subflow("s", "a")], [Flow("b").subflow("s", "b")]],
)
def test_flows_that_contain_each_other_are_broken_and_no_endless_loop(others: list[Flow]) -> None:
    job = job_of(Flow("a").subflow("s", "b"), others)
    assert "[recursive-subflow]" in (job.description or "")


def test_a_flow_whose_handlers_are_missing_still_compiles() -> None:
    job = job_of(Flow("f").step("a", "nobody").map("m", "nobody", depends_on="a"))
    assert sorted(node.name for node in job.graph.nodes) == ["a", "m", "m__collect"]
