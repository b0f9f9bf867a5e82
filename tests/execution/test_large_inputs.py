"""A large input stays in its request: the run fetches it, in each process and re-execution."""

import json
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.names import FLOW_INPUT, REQUESTED_INPUT_KEY
from dagster_pgflow.projection.sync.projector import rebuild
from tests.execution import elsewhere
from tests.execution.projecting import World, assert_states_add_up
from tests.execution.projecting_elsewhere import start_elsewhere, world
from tests.execution.test_hostile_json import Deployment
from tests.execution.test_hostile_requests import insert_past_the_functions

__all__ = ["world"]

LARGE = {"rows": [{"id": number, "name": uuid4().hex} for number in range(3000)]}
ROWS: dict[str, Any] = {
    "type": "object",
    "properties": {"rows": {"type": "array"}, "unit": {"type": "string", "default": "kg"}},
    "required": ["rows"],
}
FILLED = {**LARGE, "unit": "kg"}
FLOW = (
    Flow("normal", input_schema=ROWS)
    .step("a", handler="quick")
    .step("repairable", max_attempts=1)
    .step("b", handler="quick", depends_on="repairable", if_={})
)


def config_of(run_id: UUID) -> str:
    return json.dumps({"inputs": {FLOW_INPUT: {REQUESTED_INPUT_KEY: str(run_id)}}})


def test_its_run_config_is_small_and_its_row_is_whole(world: World) -> None:
    world.define(Flow("normal", input_schema=ROWS).step("a", handler="quick"))
    run_id = world.requests.start("normal", LARGE)
    Deployment(world).tick()
    world.settle()
    row = world.one("runs", f"run_id = '{run_id}'")
    assert (row["status"], row["error_message"]) == ("completed", None)
    assert row["input"] == row["output"]["a"] == FILLED
    [run] = world.instance.get_runs()
    assert run.run_config == json.loads(config_of(run_id))
    assert_states_add_up(world)


def test_an_input_that_does_not_fit_fails_its_run_with_the_reason(world: World) -> None:
    schema = {"properties": {"rows": {"maxItems": 9}}}
    world.define(Flow("normal", input_schema=schema).step("a", handler="quick"))
    # Past the function, which refuses as much.
    world.sql("update pgflow.flows set input_schema = null")
    run_id = world.requests.start("normal", LARGE)
    world.sql("update pgflow.flows set input_schema = %s", json.dumps(schema))
    Deployment(world).tick()
    world.settle()
    row = world.one("runs", f"run_id = '{run_id}'")
    assert row["status"] == "failed"
    assert "does not fit its input schema: $.rows: " in row["error_message"]
    assert len(row["error_message"]) < 2000


def test_one_that_nobody_can_read_fails_its_run_with_the_reason(world: World) -> None:
    world.define(Flow("f").step("a", handler="quick"))
    text = json.dumps([*range(50_000), 0])[:-2] + "[" * 500 + "]" * 500 + "]"
    run_id = insert_past_the_functions(world.sql, text)
    Deployment(world).tick()
    world.settle()
    row = world.one("runs", f"run_id = '{run_id}'")
    assert (row["status"], row["input"]) == ("failed", None)
    assert "it is nested more than 100 levels deep" in row["error_message"]


def test_each_process_and_each_re_execution_gets_it(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.define(FLOW)
    run_id = world.requests.start("normal", LARGE)
    monkeypatch.setenv(elsewhere.EXECUTOR, "multiprocess")
    monkeypatch.setenv(elsewhere.CONFIG, config_of(run_id))
    start_elsewhere("normal").wait(300)
    world.settle()
    [failed] = world.instance.get_runs()
    assert world.one("runs", "status = 'failed'")["input"] == FILLED

    (tmp_path / "repaired").touch()
    start_elsewhere("normal", failed.run_id).wait(300)
    world.settle()
    again = world.one("runs", "status = 'completed'")
    assert again["input"] == again["output"]["a"] == FILLED
    before = world.snapshot()
    rebuild(world.instance, world.store)
    world.settle()
    assert world.snapshot() == before


def test_a_run_whose_request_is_gone_fails_and_says_so(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.define(Flow("normal").step("a", handler="quick"))
    gone = uuid4()
    monkeypatch.setenv(elsewhere.CONFIG, config_of(gone))
    start_elsewhere("normal").wait(300)
    world.settle()
    row = world.one("runs")
    assert row["status"] == "failed"
    assert (
        f"The input of this run was in the request {gone}, which is not in"
        in (row["error_message"])
    )
    assert "start a new run" in row["error_message"]
