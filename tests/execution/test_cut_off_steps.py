"""What stands behind a route that is not taken, and nowhere else, Dagster skips by itself."""

from typing import Any, Literal

import dagster as dg
import pytest

from dagster_pgflow import execute_flow
from dagster_pgflow.compat import InMemoryJob, KnownExecutionState, create_execution_plan
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.runtime.op_work import OpWork
from tests.execution.interrupted import Interruption, execute, first_run, from_failure, going_on
from tests.execution.projecting import World, world
from tests.execution.waiting_runs import WaitingRun

__all__ = ["world"]

HANDLERS: dict[str, Any] = {"echo": lambda given: given}
INNER = Flow("inner").step("one", "echo").step("two", "echo", depends_on="one")
OUTER = Flow("outer").step("first", "echo").subflow("deep", "inner", depends_on="first")
FLOW = (
    Flow("top")
    .step("begin", "echo")
    .branch("way", rules=[("output.pay", "pay")], default_path="refuse", depends_on="begin")
    .step("pay", "echo", depends_on="way")
    .step("refuse", "echo", depends_on="way", start_delay=60, on_failure="sorry")
    .subflow("tell", "outer", depends_on="refuse", output={"told": "$nodes.deep.two"})
    .step("sorry", "echo", depends_on="refuse")
    .branch("again", rules=[("true", "ask")], default_path="rest", depends_on="tell")
    .approval("ask", prompt="Well?", depends_on="again")
    .sleep("rest", seconds=60, depends_on="again")
    .join("last", depends_on=["ask", "rest"], wait="any")
)
CUT_OFF = {
    "refuse": "not_taken",
    "tell": "not_taken",
    "tell.first": "dependency_skipped",
    "tell.deep": "dependency_skipped",
    "tell.deep.one": "dependency_skipped",
    "tell.deep.two": "dependency_skipped",
    "sorry": "not_taken",
    "again": "not_taken",
    "ask": "not_taken",
    "rest": "not_taken",
    "last": "not_taken",
}
TAKEN = {"begin", "way", "pay"}


def begun_in(world: World, run_id: str) -> set[str]:
    begun = world.instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_START)
    return {str(entry.step_key) for entry in begun}


def skipped_in(world: World, run_id: str) -> dict[str, Any]:
    rows = world.sql.records(
        "select step_path, skip_reason from pgflow.step_states"
        " where run_id = %s and status = 'skipped'",
        run_id,
    )
    return {row["step_path"]: row["skip_reason"] for row in rows}


def told_by(world: World, run_id: str) -> list[tuple[str, str, str]]:
    """What the event log says, whenever that was."""
    rows = world.sql.records(
        "select event_type, correlation_id, event_data::text as data from pgflow.event_log"
        " where run_id = %s and event_type not in ('node.executed', 'task.started',"
        " 'task.completed', 'run.queued', 'run.started')",
        run_id,
    )
    return sorted((row["event_type"], row["correlation_id"] or "", row["data"]) for row in rows)


def test_no_op_starts_for_what_is_cut_off_and_the_rows_say_why_it_did_not_run(
    world: World,
) -> None:
    world.define(INNER, OUTER, FLOW)
    run_id = str(world.run("top", HANDLERS, {"pay": True}))
    world.settle()
    assert begun_in(world, run_id) == TAKEN
    assert skipped_in(world, run_id) == CUT_OFF
    stats = world.instance.get_run_step_stats(run_id)
    shown = {one.step_key for one in stats if one.status and one.status.value == "SKIPPED"}
    assert {"refuse", "tell.deep.two", "last"} <= shown


def test_rows_and_events_are_those_of_a_run_that_sent_markers_as_older_code_does(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.define(INNER, OUTER, FLOW)
    new = str(world.run("top", HANDLERS, {"pay": True}))
    monkeypatch.setattr(OpWork, "cut_off", {})
    old = str(world.run("top", HANDLERS, {"pay": True}))
    world.settle()
    assert begun_in(world, old) > begun_in(world, new)
    assert skipped_in(world, new) == skipped_in(world, old) == CUT_OFF
    assert told_by(world, new) == told_by(world, old)
    before = world.snapshot()
    world.look_again()
    assert world.snapshot() == before


@pytest.mark.parametrize(
    ("flow", "begun"),
    [
        (FLOW.step("meets", "echo", depends_on=["pay", "refuse"]), {"refuse", "meets"}),
        (FLOW.map("all", "echo", depends_on="sorry"), {"refuse", "sorry", "all[0]"}),
    ],
    ids=["a join", "a list"],
)
def test_where_somebody_needs_to_hear_of_the_route_its_ops_start(
    world: World, flow: Flow, begun: set[str]
) -> None:
    world.define(INNER, OUTER, flow)
    run_id = str(world.run("top", HANDLERS, {"pay": True}))
    world.settle()
    assert begun_in(world, run_id) >= begun


@pytest.mark.parametrize("mode", ["inline", "run"])
def test_inside_another_flow_all_ops_start(world: World, mode: Literal["inline", "run"]) -> None:
    around = Flow("around").subflow("inside", "top", mode=mode)
    world.define(INNER, OUTER, FLOW, around)
    run_id = str(world.run("around", HANDLERS, {"pay": True}))
    world.settle()
    ops = {key for run in world.instance.get_runs() for key in begun_in(world, run.run_id)}
    assert {key.removeprefix("inside.") for key in ops} > {"refuse", "last", "pay"}
    skipped = skipped_in(world, run_id)
    assert skipped == {f"inside.{path}": reason for path, reason in CUT_OFF.items()}


def test_a_run_that_is_killed_before_dagster_says_what_it_skips_goes_on(world: World) -> None:
    world.define(INNER, OUTER, FLOW)
    job = world.job("top", HANDLERS)
    config = {"inputs": {"flow_input": {"pay": True}}}
    whole = execute(world.instance, job, first_run(world.instance, job, config))
    events = [entry.dagster_event for entry in world.instance.all_logs(whole.run_id)]
    after = [event is not None and event.is_step_skipped for event in events].index(True)
    for retried in (going_on, from_failure):
        killed = first_run(world.instance, job, config)
        killed = execute(world.instance, job, killed, Interruption("killed", after))
        assert not killed.is_success
        again = retried(world.instance, job, killed)
        assert again is not None
        again = execute(world.instance, job, again)
        assert again.is_success
        world.settle()
        assert skipped_in(world, killed.run_id) == CUT_OFF
        assert skipped_in(world, again.run_id) == CUT_OFF
        # Who goes on knows what is cut off; Dagster does not, and its ops find out.
        assert ("refuse" in begun_in(world, again.run_id)) == (retried is from_failure)


def test_a_step_that_is_cut_off_and_re_executed_by_itself_is_skipped_again(world: World) -> None:
    world.define(INNER, OUTER, FLOW)
    job = world.job("top", HANDLERS)
    run = first_run(world.instance, job, {"inputs": {"flow_input": {"pay": True}}})
    run = execute(world.instance, job, run)
    state = KnownExecutionState.build_for_reexecution(world.instance, run)
    plan = create_execution_plan(
        InMemoryJob(job), run.run_config, step_keys_to_execute=["refuse"], known_state=state
    )
    again = world.instance.create_run_for_job(
        job,
        execution_plan=plan,
        run_config=run.run_config,
        tags=run.tags,
        parent_run_id=run.run_id,
        root_run_id=run.run_id,
    )
    again = execute(world.instance, job, again)
    assert again.is_success
    world.settle()
    assert begun_in(world, again.run_id) == {"refuse"}
    assert skipped_in(world, again.run_id) == CUT_OFF


def test_a_run_that_waited_before_the_branch_goes_on_without_what_is_cut_off() -> None:
    flow = (
        Flow("top")
        .approval("ask", prompt="Well?")
        .branch(
            "way",
            rules=[("output.answer == true", "pay")],
            default_path="refuse",
            depends_on="ask",
        )
        .approval("pay", prompt="How much?", depends_on="way")
        .step("paid", "echo", depends_on="pay")
        .step("refuse", "echo", depends_on="way")
        .step("refused", "echo", depends_on="refuse")
    )
    run = WaitingRun(flow)
    run.start()
    assert run.executed == ["ask", "paid", "pay", "refuse", "refused", "way"]
    run.answer_and_go_on(ask=True)
    assert run.executed == ["ask", "paid", "pay", "way"]
    run.answer_and_go_on(pay=3)
    assert run.executed == ["paid", "pay"]
    assert run.waiting == []


def test_a_flow_that_runs_in_process_says_by_what_each_step_was_skipped() -> None:
    flows = (INNER, OUTER)
    result = execute_flow(FLOW, {"pay": True}, handlers=[HANDLERS], flows=flows)
    found = {path: (step.reason, step.skipped_by) for path, step in result.steps.items()}
    assert found["refuse"] == ("not_taken", "refuse")
    assert found["last"] == ("not_taken", "refuse")
    assert found["tell.deep.two"] == ("dependency_skipped", "refuse")
    assert {step.left_out_by for step in result.steps.values() if step.reason} == {("way",)}
    assert {path for path, (reason, _) in found.items() if reason} == CUT_OFF.keys()
