"""Which step a run failed in, when the one that found out is not the one to blame."""

import pytest

from dagster_pgflow.model.flow import Flow
from tests.execution.projecting import World, world

__all__ = ["world"]

INNER = Flow("inner").step("x").map("m")
MIDDLE = Flow("middle").subflow("in", "inner").step("y")
STRICT = Flow("strict", input_schema={"properties": {"a": {"type": "array"}}}).step("x")
HANDLERS = {name: lambda value: value for name in ("a", "x", "m", "y")}


@pytest.mark.parametrize("deps", [[], ["a"], ["a", "b"]])
def test_a_subflow_that_may_not_run_fails_and_nothing_in_it_began(
    world: World, deps: list[str]
) -> None:
    flow = (
        Flow("f")
        .step("a")
        .map("b", "a", depends_on="a")
        .subflow("s", "middle", depends_on=deps, if_={"go": 1}, when_unmet="fail")
    )
    world.define(INNER, MIDDLE, flow)
    world.run("f", HANDLERS, [])
    world.settle()
    told = world.by_path("status")
    assert told["s"] == "failed"
    inside = {path: status for path, status in told.items() if path.startswith("s.")}
    assert set(inside.values()) == {"cancelled"}
    assert {path for path in inside if world.tasks(path, "status")} == set()
    error = world.by_path("error_message")["s"]
    assert error.startswith(
        'Step "s" may not run: condition not met, its input does not contain {"go": 1} (input is '
    )
    assert world.one("runs")["error_message"] == f'Step "s" failed: {error}'
    subrun = world.one("subruns", "parent_step_slug = 's'")
    assert (subrun["status"], subrun["error_message"]) == ("failed", error)
    assert subrun["input"] == ({dep: [] for dep in deps} or [])
    assert world.one("subruns", "parent_step_slug = 'in'")["status"] == "cancelled"


def test_a_subflow_whose_input_breaks_its_schema_is_the_step_that_failed(world: World) -> None:
    world.define(STRICT, Flow("f").step("a").subflow("s", "strict", depends_on="a"))
    world.run("f", HANDLERS, {})
    world.settle()
    assert world.by_path("status") == {"a": "completed", "s": "failed", "s.x": "cancelled"}
    assert "does not fit its input schema" in world.by_path("error_message")["s"]


def test_a_broken_flow_may_have_the_name_that_its_job_gives_its_only_op(world: World) -> None:
    world.define(Flow("problems").step("a"))
    world.sql(
        "insert into pgflow.flow_versions (flow_slug, version, definition, content_hash)"
        " select 'problems', 2, jsonb_set(definition, '{steps,0,depends_on}', '[\"a\"]'), 'other'"
        " from pgflow.flow_versions"
    )
    world.run("problems", HANDLERS)
    world.settle()
    run = world.one("runs")
    assert run["status"] == "failed"
    assert "depends on itself" in run["error_message"]


def test_a_run_that_dagster_gives_up_says_why(world: World) -> None:
    world.define(Flow("f", max_recoveries=0).step("a"))
    job = world.job("f", HANDLERS)
    run = world.instance.create_run_for_job(job, tags=dict(job.run_tags))
    world.instance.report_engine_event("The launcher was busy.", run)
    world.instance.report_engine_event("The process of the run is gone.", run)
    world.instance.report_run_failed(run)
    world.settle()
    assert world.one("runs")["error_message"] == (
        "This run has been marked as failed from outside the execution context."
        " The process of the run is gone."
    )
