"""A run that waits and goes on with a process for each of its steps."""

from pathlib import Path
from uuid import UUID

import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.names import TAG_PARENT_RUN, continuation_id
from tests.execution import elsewhere
from tests.execution.projecting import World, assert_states_add_up
from tests.execution.projecting_elsewhere import run_elsewhere, start_elsewhere, world

__all__ = ["world"]


def test_a_run_goes_on_in_other_processes_and_does_nothing_twice(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(elsewhere.EXECUTOR, "multiprocess")
    (tmp_path / "repaired").touch()
    world.define(
        Flow("child").step("come", "quick").approval("ask", prompt="?", depends_on="come"),
        Flow("f")
        .step("list", "listed")
        .map("before", "noted", depends_on="list")
        .approval("ask", prompt="${$nodes.before}?", depends_on="before")
        .step("again", "listed", depends_on="ask")
        .map("behind", "noted", depends_on="again")
        .subflow("order", "child", mode="run", depends_on="list")
        .join("end", depends_on=["behind", "order"]),
    )
    run_elsewhere("f")
    [first] = [run for run in world.instance.get_runs() if TAG_PARENT_RUN not in run.tags]
    world.project()
    assert world.one("runs")["status"] == "waiting"
    assert world.by_path("waiting_for")["ask"] == "[10, 20, 30]?"
    assert world.by_path("status")["order.ask"] == "waiting"
    for path in ("ask", "order.ask"):
        sql = "select pgflow.answer(%s::uuid, %s, 'true'::jsonb, 'kim')"
        world.sql(sql, first.run_id, path)
    start_elsewhere("f", first.run_id, elsewhere.WAITED).wait(300)
    further = world.instance.get_run_by_id(str(continuation_id(UUID(first.run_id), 1)))
    assert further is not None
    assert further.is_success
    world.settle()
    assert world.one("runs")["status"] == "completed"
    assert set(world.by_path("status").values()) == {"completed"}
    noted = sorted((tmp_path / "calls").read_text(encoding="utf-8").splitlines())
    wanted = [f"{step}[{index}] 1" for step in ("before", "behind") for index in range(3)]
    assert noted == wanted
    assert_states_add_up(world)
