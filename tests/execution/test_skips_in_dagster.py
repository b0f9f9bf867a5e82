"""What did not run looks skipped in Dagster, and does so for nobody who reads its log."""

from typing import Any

import dagster as dg
import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.names import TAG_TOP_RUN
from dagster_pgflow.projection.sync import skips_in_dagster
from tests.execution.interrupted import execute, first_run, from_failure
from tests.execution.projecting import World, world

__all__ = ["world"]


def fail(_given: Any) -> None:
    raise ValueError("no")


HANDLERS: dict[str, Any] = {"echo": lambda given: given, "fail": fail}
CHILD = Flow("child").step("first", "echo").step("second", "echo", depends_on="first")
PAYMENT = (
    Flow("payment", max_attempts=1)
    .step("charge", "fail")
    .step("receipt", "echo", depends_on="charge")
)
PICKY = Flow("picky").step("never", "echo", run_if="1 == 2")
FLOW = (
    Flow("parcel", max_attempts=1)
    .step("begin", "echo")
    .subflow("pay", "payment", depends_on="begin", on_failure="sorry")
    .subflow("apart", "picky", depends_on="begin", mode="run")
    .step("thanks", "echo", depends_on="pay")
    .step("sorry", "echo", depends_on="pay")
    .map("all", "echo", depends_on="begin", run_if="1 == 2", when_unmet="skip-cascade")
    .subflow("each", "child", depends_on="all", over="$nodes.all")
    .subflow("graph", "child", depends_on="begin", run_if="1 == 2")
    .step("last", "echo", depends_on="graph")
)
SKIPPED = {
    "pay.receipt": 'Step "pay.receipt" does not run: "pay" failed.',
    "thanks": 'Step "thanks" is skipped: "pay" failed.',
    "all[0]": 'Step "all" is skipped: run_if `1 == 2` is false.',
    "each__output": 'Step "each" is skipped: "all" was skipped since run_if `1 == 2` is false.',
    "graph__input": 'Step "graph" is skipped: run_if `1 == 2` is false.',
    "graph.first": 'Step "graph.first" is skipped with "graph": run_if `1 == 2` is false.',
    "graph.second": 'Step "graph.second" is skipped with "graph": run_if `1 == 2` is false.',
}


def looks_skipped(world: World, run_id: str) -> set[str]:
    found = world.instance.get_run_step_stats(run_id)
    return {stats.step_key for stats in found if stats.status and stats.status.value == "SKIPPED"}


def skips_told(world: World, run_id: str) -> list[tuple[str, str | None]]:
    return [
        (str(entry.step_key), entry.dagster_event.message)
        for entry in world.instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_SKIPPED)
        if entry.dagster_event is not None
    ]


def test_a_step_that_did_not_run_looks_skipped_and_says_why(world: World) -> None:
    world.define(CHILD, PAYMENT, PICKY, FLOW)
    run_id = str(world.run("parcel", HANDLERS, []))
    assert looks_skipped(world, run_id) == set()
    world.project()
    assert looks_skipped(world, run_id) == SKIPPED.keys()
    assert dict(skips_told(world, run_id)) == SKIPPED
    [inside] = world.instance.get_runs(dg.RunsFilter(tags={TAG_TOP_RUN: run_id}))
    assert skips_told(world, inside.run_id) == [
        ("never", 'Step "apart.never" is skipped: run_if `1 == 2` is false.')
    ]


def test_that_a_step_looks_skipped_changes_nothing_for_who_reads_the_log(world: World) -> None:
    world.define(CHILD, PAYMENT, PICKY, FLOW)
    run_id = str(world.run("parcel", HANDLERS, []))
    world.project()
    before = world.snapshot()
    world.settle()
    world.look_again()
    assert world.snapshot() == before
    assert len(skips_told(world, run_id)) == len(SKIPPED)


def test_one_look_adds_so_many_events_and_the_next_one_the_others(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(skips_in_dagster, "SHOWN_AT_ONCE", 4)
    world.define(CHILD, PAYMENT, PICKY, FLOW)
    run_id = str(world.run("parcel", HANDLERS, []))
    world.project()
    first = looks_skipped(world, run_id)
    assert first < SKIPPED.keys()
    world.settle()
    assert looks_skipped(world, run_id) == SKIPPED.keys()


def test_dagster_re_executes_a_run_from_failure_past_steps_that_look_skipped(
    world: World,
) -> None:
    known: list[Any] = []

    def fail_once(given: Any) -> Any:
        known.append(given)
        return fail(given) if len(known) == 1 else "done"

    ends = ["thanks", "sorry", "last", "each", "all"]
    world.define(
        CHILD,
        PICKY,
        PAYMENT,
        FLOW.join("ends", depends_on=ends, wait="any").step("at_last", depends_on="ends"),
    )
    job = world.job("parcel", HANDLERS | {"at_last": fail_once})
    run = first_run(world.instance, job, {"inputs": {"flow_input": []}})
    run = execute(world.instance, job, run)
    assert not run.is_success
    world.project()
    assert looks_skipped(world, run.run_id) >= SKIPPED.keys()
    before = world.by_path("status")

    again = from_failure(world.instance, job, run)
    assert again is not None
    again = execute(world.instance, job, again)
    assert again.is_success
    world.settle()
    rows = world.sql.records(
        "select step_path, status from pgflow.step_states where run_id = %s", again.run_id
    )
    assert {row["step_path"]: row["status"] for row in rows} == before | {"at_last": "completed"}
    assert known[0] == known[1]


def test_the_line_of_an_op_says_which_condition_of_which_values_and_which_branch(
    world: World,
) -> None:
    world.define(
        Flow("van")
        .step("weigh", "echo")
        .step("few", "echo", run_if="input.weigh.kilos > 10", depends_on="weigh")
        .step("some", "echo", if_={"weigh": {"kilos": 7}}, depends_on="weigh")
        .branch("way", rules=[("true", "one")], default_path=["two"], depends_on="weigh")
        .step("one", "echo", depends_on="way")
        .step("two", "echo", depends_on=["weigh", "way"])
    )
    run_id = str(world.run("van", HANDLERS, {"kilos": 5}))
    lines = [entry.user_message for entry in world.instance.all_logs(run_id)]
    pattern, values = '{"weigh": {"kilos": 7}}', "(input.weigh.kilos is 5)"
    assert [line for line in lines if "is skipped: " in line] == [
        f'Step "few" is skipped: run_if `input.weigh.kilos > 10` is false {values}.',
        f'Step "some" is skipped: its input does not contain {pattern} {values}.',
        'Step "two" is skipped: "way" does not lead to it in this run.',
    ]
