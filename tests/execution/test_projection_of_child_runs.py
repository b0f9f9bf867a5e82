"""A subflow that is a Dagster run of its own leaves the rows that it leaves inside the run."""

from typing import Any
from uuid import UUID

import dagster as dg
import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.steps import SubflowStep
from dagster_pgflow.names import (
    TAG_FLOW,
    TAG_LABEL,
    TAG_PARENT_RUN,
    TAG_PARENT_STEP,
    TAG_TOP_RUN,
)
from dagster_pgflow.projection.sync.projector import rebuild
from tests.execution.harness import gives
from tests.execution.projecting import World, assert_log_is_sound, world
from tests.execution.small_flows import CHILD, HANDLERS, LEAF, MIDDLE, PAYMENT, listing

__all__ = ["world"]

LISTS = (
    Flow("lists", max_attempts=1)
    .map("m", "double")
    .map("n", "echo", depends_on="m", pipelined=True)
    .step("end", "echo", depends_on="n")
)
ENDS_IN_MAP = Flow("ends_in_map").map("m", "double").step("one", "echo")
PICKED = {"n": "$nodes.a.n"}
PICKY = (
    Flow("picky", input_schema={"properties": {"n": {"type": "integer"}}})
    .step("x", "echo")
    .step("y", "echo")
)
SHAPED = Flow("shaped", output_schema={"required": ["x"]}).step("x", "echo")
CONDITIONAL = (
    Flow("conditional").step("x", "echo", if_={"go": True}).step("y", "echo", depends_on="x")
)
DEEP = Flow("deep").subflow("down", "middle").step("beside", "echo")
BATCH = (
    Flow("batch")
    .subflow("each", "child", over="$input.a")
    .step("behind", "echo", depends_on="each")
)
BEGINS = PICKY.model_copy(update={"slug": "begins", "steps": ()}).subflow("first", "child")
MIXED = (
    Flow("mixed")
    .subflow("ran", "ends_in_map", over="$input.a")
    .subflow("did_not", "lists", run_if="flow_input == null")
    .step("bad", "fail", depends_on=["ran", "did_not"])
)
OTHERS = (LISTS, ENDS_IN_MAP, PICKY, SHAPED, CONDITIONAL, DEEP, BATCH, BEGINS, MIXED)
FLOWS = {flow.slug: flow for flow in (*OTHERS, PAYMENT, LEAF, MIDDLE, CHILD)}


def one(child: str, **settings: Any) -> Flow:
    return (
        Flow("top")
        .step("a", "echo")
        .subflow("s", child, depends_on="a", **settings)
        .step("after", "echo", depends_on="s")
    )


def routed(child: str, **settings: Any) -> Flow:
    return one(child, on_failure="mend", **settings).step("mend", "echo", depends_on="s")


CASES: dict[str, tuple[Flow, Any]] = {
    "one that completes": (one("child", input={"n": "$nodes.a"}, output="$nodes.note.twice"), 4),
    "one at the root": (Flow("top").subflow("s", "child").step("b", "echo", depends_on="s"), 3),
    "one with maps": (one("lists"), {"x": 1}),
    "maps at the root": (Flow("top").subflow("s", "lists"), [1, 2, 3]),
    "a final map": (Flow("top").subflow("s", "ends_in_map"), [1, 2, 3]),
    "an empty map": (Flow("top").subflow("s", "lists"), []),
    "a map over what is no list": (Flow("top").subflow("s", "lists"), {"x": 1}),
    "one that fails": (one("payment"), 1),
    "one that fails, routed": (routed("payment"), 1),
    "one that fails in two levels": (one("middle"), 1),
    "three levels that fail, routed at the top": (routed("deep"), 1),
    "a bad input": (one("picky", input=PICKED), {"n": "x"}),
    "a bad input, routed": (routed("picky", input=PICKED), {"n": "x"}),
    "an output that breaks its schema": (one("shaped", output="$nodes.x.nothing"), 1),
    "an output that breaks its schema, routed": (routed("shaped", output="$nodes.x.nothing"), 1),
    "a skip": (one("lists", if_={"a": {"go": True}}), {"go": False}),
    "a skip of three levels": (one("deep", run_if="false"), 1),
    "a condition that may not fail": (one("child", if_={"a": 2}, when_unmet="fail"), 1),
    "skips inside": (Flow("top").subflow("s", "conditional"), {"go": False}),
    "behind a failure": (
        routed("payment")
        .subflow("t", "lists", depends_on="s")
        .subflow("u", "deep", depends_on="mend"),
        1,
    ),
    "a bad input of a flow that begins with a subflow, routed": (
        routed("begins", input=PICKED),
        {"n": "x"},
    ),
    "items beside one that fails, routed by the flow around": (routed("batch"), [13, 4]),
    "a trace of what ran and what did not": (routed("mixed"), [[1, 2], [3]]),
    "items": (listing([1, 2, 3]), None),
    "items of an input": (
        Flow("top").subflow("s", "child", over="$input.rows", input={"n": "$item.n"}),
        {"rows": [{"n": 1}, {"n": 2}]},
    ),
    "no items": (listing([]), None),
    "items that are skipped": (listing([1], run_if="false"), None),
    "an item that fails": (listing([1, 13, 3]), None),
    "an item that fails, routed": (
        listing([1, 13, 3], on_failure="mend").step("mend", "echo", depends_on="each"),
        None,
    ),
    "items that are no list": (listing(5), None),
    "items with maps": (
        Flow("top")
        .step("list", **gives([[1, 2], [], [3]]))
        .subflow("each", "lists", depends_on="list", over="list"),
        None,
    ),
    "items with three levels": (
        Flow("top")
        .step("list", **gives([1, 2]))
        .subflow("each", "deep", depends_on="list", over="list", on_failure="mend")
        .step("mend", "echo", depends_on="each"),
        None,
    ),
}

VOLATILE = {
    *("id", "run_id", "dagster_run_id", "subrun_id", "parent_subrun_id", "parent_run_id"),
    *("version_id", "flow_version", "worker_id", "last_worker_id", "duration_ms"),
}


def apart(flow: Flow) -> Flow:
    """Returns a flow whose subflows are runs of their own."""
    steps = (
        step.model_copy(update={"mode": "run"}) if isinstance(step, SubflowStep) else step
        for step in flow.steps
    )
    return flow.model_copy(update={"steps": tuple(steps)})


def rows(world: World, dagster_run_id: UUID) -> dict[str, list[dict[str, Any]]]:
    """Returns the rows of a run without what differs from run to run."""
    run_id = world.tables.run_id_of(dagster_run_id)
    number = world.sql.value("select id from pgflow.runs where run_id = %s", str(run_id))
    found = {
        "runs": world.sql.records("select * from pgflow.runs where id = %s", number),
        "subruns": world.sql.records(
            "select * from pgflow.subruns where parent_run_id = %s order by run_index", number
        ),
    }
    for table in ("step_states", "step_tasks", "node_executions"):
        order = {"step_states": "", "step_tasks": ", task_index"}.get(
            table, ", task_index, attempt"
        )
        found[table] = world.sql.records(
            f"select * from pgflow.{table} where run_id = %s order by step_path{order}", str(run_id)
        )
    return {
        table: [
            {
                name: (value is not None if name.endswith("_at") else _plain(value))
                for name, value in row.items()
                if name not in VOLATILE
            }
            for row in found[table]
        ]
        for table in found
    }


def _plain(value: Any) -> Any:
    """Returns a value without what a trace tells of times: how long, and what came first."""
    match value:
        case {"child_trace": list(trace), **others}:
            steps = sorted((_plain(entry) for entry in trace), key=lambda entry: entry["step"])
            return {**others, "child_trace": steps}
        case dict():
            return {k: _plain(v) for k, v in value.items() if k != "duration_ms"}
        case list():
            return [_plain(item) for item in value]
        case _:
            return value


@pytest.mark.parametrize("name", CASES)
def test_rows_are_those_of_the_same_flow_inside_the_run(world: World, name: str) -> None:
    top, given = CASES[name]
    world.builder.define_flows([*FLOWS.values(), top])
    inline = world.run("top", HANDLERS, given)
    world.settle()
    expected = rows(world, inline)
    world.builder.define_flows([*map(apart, FLOWS.values()), apart(top)])
    run = world.run("top", HANDLERS, given)
    world.settle()
    found = rows(world, run)
    for table in expected:
        assert len(found[table]) == len(expected[table])
        for row, wanted in zip(found[table], expected[table], strict=True):
            assert row == wanted
    assert world.sql.value("select count(*) from pgflow.runs") == 2
    assert_log_is_sound(world, run)


def linked_in(world: World, run_id: str) -> dict[str, set[str]]:
    """Returns the runs that the metadata of a run's events link to, by the names of the links."""
    linked: dict[str, set[str]] = {}
    for entry in world.instance.all_logs(run_id):
        event = entry.dagster_event
        told = event and event.event_specific_data
        for name, value in (getattr(told, "metadata", None) or {}).items():
            if isinstance(value, dg.DagsterRunMetadataValue):
                linked.setdefault(name, set()).add(value.run_id)
    return linked


def test_runs_inside_are_linked_with_the_run_around_and_outlive_their_end_in_dagster(
    world: World,
) -> None:
    flow = (
        Flow("top")
        .step("list", **gives([1, 2]))
        .subflow("process_payment", "outer", depends_on="list", over="list", mode="run")
    )
    world.define(CHILD, Flow("outer").subflow("pay", "child", mode="run"), flow)
    top = str(world.run("top", HANDLERS))
    world.settle()
    inside = {
        run.tags[TAG_PARENT_STEP]: run
        for run in world.instance.get_runs()
        if TAG_PARENT_STEP in run.tags
    }
    item, pay = inside["process_payment[1]"], inside["process_payment[1].pay"]
    assert len(inside) == 4
    assert {run.tags[TAG_TOP_RUN] for run in inside.values()} == {top}
    assert (item.tags[TAG_PARENT_RUN], pay.tags[TAG_PARENT_RUN]) == (top, item.run_id)
    assert (item.tags[TAG_FLOW], pay.tags[TAG_FLOW]) == ("outer", "child")
    assert item.tags[TAG_LABEL] == "Item 1 of step process_payment"
    assert pay.tags[TAG_LABEL] == "Step process_payment[1].pay"
    around = world.instance.get_run_by_id(top)
    assert around is not None
    assert not {TAG_PARENT_RUN, TAG_PARENT_STEP, TAG_TOP_RUN} & around.tags.keys()
    # Both logs say which the other run is.
    items = {inside["process_payment[0]"].run_id, item.run_id}
    assert linked_in(world, top)["child run"] == items
    assert linked_in(world, item.run_id) == {"parent run": {top}, "child run": {pay.run_id}}
    assert linked_in(world, pay.run_id) == {"parent run": {item.run_id}}
    told = {
        event.event_data["label"]: event.event_data["dagster_run_id"]
        for event in world.tables.events(UUID(top))
        if event.event_type == "subrun.started"
    }
    assert told["Subrun #3 of step process_payment"] == item.run_id
    # What pgflow knows of a run that has ended stays, when Dagster forgets parts of it.
    before = world.snapshot()
    world.instance.delete_run(pay.run_id)
    world.sql("update pgflow.subruns set status = 'created', output = null")
    rebuild(world.instance, world.store)
    assert world.snapshot() == before
    assert world.by_path("status")["process_payment[1].pay.note"] == "completed"
