"""A list that is collected is whole, or the run fails: however its run came to be.

Dagster's "re-execute from failure" runs of the elements of a list only those that had begun.
"""

from collections.abc import Callable
from typing import Any

import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.store.outputs import OutputStore
from tests.execution.interrupted import (
    ENDS,
    End,
    Interruption,
    errors_of,
    execute,
    first_run,
    from_failure,
    run_id_of,
)
from tests.execution.projecting import World, world

__all__ = ["world"]

ONE = Flow("one").step("x", handler="work")
MAPS = Flow("maps").step("l", handler="listed").map("m", handler="work", depends_on="l")


def behind_a_list(**settings: Any) -> Flow:
    return Flow("f").step("a", handler="listed").map("m", "work", depends_on="a", **settings)


FLOWS = {
    "a map": behind_a_list().step("z", "echo", depends_on="m"),
    "a map at the end": behind_a_list(),
    "batches": behind_a_list(batch_size=2).step("z", "echo", depends_on="m"),
    "pipelined maps": behind_a_list()
    .map("n", "echo", depends_on="m", pipelined=True)
    .step("z", "echo", depends_on="n"),
    "pipelined maps at the end": behind_a_list().map("n", "echo", depends_on="m", pipelined=True),
    "a map over a map": behind_a_list().map("n", "echo", depends_on="m"),
    "a map in a subflow": Flow("f").subflow("s", "maps"),
    "a map that is joined": behind_a_list()
    .map("n", "echo", depends_on="a")
    .step("z", "echo", depends_on=["m", "n"]),
    "a flow over a list": Flow("f")
    .step("a", "listed")
    .subflow("s", "one", depends_on="a", over="a"),
    "a flow over a list as runs": Flow("f")
    .step("a", "listed")
    .subflow("s", "one", depends_on="a", over="a", mode="run"),
    "a map in a loop": Flow("f")
    .step("a", "listed")
    .map("m", "work", depends_on="a")
    .loop("l", handler="echo", depends_on="m", back_to="a", condition="false", max_iterations=2),
}


def handlers(at_the_third: Callable[[], None]) -> dict[str, Callable[[Any], Any]]:
    def work(value: int) -> int:
        if value == 2:
            at_the_third()
        return value * 10

    return {"echo": lambda value: value, "listed": lambda _: [0, 1, 2, 3, 4], "work": work}


@pytest.mark.parametrize(
    ("kind", "end"), [("a map", end) for end in ENDS] + [(kind, "killed") for kind in FLOWS][1:]
)
def test_a_run_that_dagster_lets_go_on_without_some_elements_says_so(
    world: World, kind: str, end: End
) -> None:
    world.define(ONE, MAPS, FLOWS[kind])
    interruption = Interruption(end, 10**9)
    job = world.job("f", handlers(interruption.come))
    run = first_run(world.instance, job, {"inputs": {"flow_input": {}}})
    run = execute(world.instance, job, run, interruption)
    assert interruption.has_come
    assert not run.is_success

    again = from_failure(world.instance, job, run)
    assert again is not None
    again = execute(world.instance, job, again)
    if end == "failed":
        # What fails keeps no other element from running.
        assert again.is_success
        return
    assert not again.is_success
    [error] = errors_of(world.instance, again)
    assert "ops before it have not run" in error
    assert "`dagster-pgflow retry` with this run runs what is missing" in error
    world.settle()
    row = world.one("runs", f"run_id = '{again.run_id}'")
    assert row["status"] == "failed"
    assert row["error_message"].endswith(error)


def test_values_of_a_run_that_began_with_older_code_are_collected(world: World) -> None:
    world.define(behind_a_list(batch_size=2).step("z", "echo", depends_on="m"))
    interruption = Interruption("killed", 10**9)

    def at_the_end(value: Any) -> Any:
        if not interruption.has_come:
            interruption.come()
        return value

    job = world.job("f", {**handlers(lambda: None), "echo": at_the_end})
    run = first_run(world.instance, job, {"inputs": {"flow_input": {}}})
    run = execute(world.instance, job, run, interruption)
    # So did the batches look that older code sent.
    changed = """
      update pgflow.step_outputs
      set value = regexp_replace(value::text, ',\\s*"of":\\s*\\d+', '')::json
      where dagster_run_id = %s and step_key like 'm[%%'
      returning value::text ~ '"of"'
    """
    assert world.sql.column(changed, run.run_id) == [False] * 3
    again = from_failure(world.instance, job, run)
    assert again is not None
    assert execute(world.instance, job, again).is_success
    outputs = OutputStore(world.database).of_run(run_id_of(again), "result")
    assert [output.value for output in outputs] == [{"m": [0, 10, 20, 30, 40]}]
