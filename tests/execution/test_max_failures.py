"""Map steps of which so many elements may fail, and no more."""

from typing import Any

import dagster as dg
import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.projection.sync.projector import rebuild
from dagster_pgflow.step_errors import NonRetryable
from tests.execution.harness import run
from tests.execution.interrupted import execute, first_run, going_on, run_id_of
from tests.execution.projecting import World, assert_log_is_sound, world

__all__ = ["world"]


def refuse_odd_ones(value: int) -> int:
    if value % 2:
        raise NonRetryable(f"{value} is odd")
    return value * 10


BOUNDS: dict[str, tuple[dict[str, Any], bool]] = {
    "a": ({"max_failures": 0}, False),
    "b": ({"max_failures": 1}, False),
    "c": ({"max_failures": 2}, True),
    "d": ({"max_failures_percent": 39}, False),
    "e": ({"max_failures_percent": 40}, True),
    "f": ({"max_failures_percent": 100}, True),
    "g": ({"max_failures": 2, "max_failures_percent": 39}, False),
    "h": ({"max_failures": 1, "max_failures_percent": 40}, False),
    "i": ({"max_failures": 2, "max_failures_percent": 40}, True),
    "j": ({"max_failures": 1, "collect_errors": True}, False),
}


@pytest.mark.parametrize("batch_size", [1, 2, 5])
def test_a_map_bears_so_many_failures_over_all_its_batches(batch_size: int) -> None:
    flow = Flow("f", max_attempts=1)
    for slug, (bound, _) in BOUNDS.items():
        flow = flow.map(slug, "m", batch_size=batch_size, when_exhausted="skip", **bound)
        flow = flow.step(f"{slug}_sum", "echo", depends_on=slug)
    handlers = {"m": refuse_odd_ones, "echo": lambda value: value}
    result = run(flow, [0, 1, 2, 3, 4], handlers=handlers)
    for slug, (bound, is_borne) in BOUNDS.items():
        received = result.outputs[f"{slug}_sum"]
        assert (slug in received) == is_borne, bound
        if is_borne:
            assert [received[slug][at] for at in (0, 2, 4)] == [0, 20, 40]
            assert [received[slug][at]["error"]["attempts"] for at in (1, 3)] == [1, 1]


def test_the_error_says_how_many_failed_and_how_many_may() -> None:
    flow = Flow("f", max_attempts=1).map("m", max_failures=1, max_failures_percent=39)
    result = run(flow, [0, 1, 2, 3, 4], handlers={"m": refuse_odd_ones})
    assert result.error.startswith(
        '2 of the 5 elements of map step "m" failed, where max_failures allows 1 and'
        " max_failures_percent allows 39 %; the first one: "
        'Handler "m" of step "m[1]" (flow "f", attempt 1) raised NonRetryable: 1 is odd'
    )


@pytest.mark.parametrize("bound", [{"max_failures": 0}, {"max_failures_percent": 0}])
@pytest.mark.parametrize("numbers", [[], [2], [2, 4, 6]])
def test_none_may_fail_where_none_does(bound: dict[str, Any], numbers: list[int]) -> None:
    flow = Flow("f").map("m", **bound).step("z", "echo", depends_on="m")
    result = run(flow, numbers, handlers={"m": refuse_odd_ones, "echo": lambda value: value})
    assert result.outputs["z"] == {"m": [number * 10 for number in numbers]}


@pytest.mark.parametrize(("most", "fails"), [(1, False), (0, True)])
def test_where_one_op_does_the_whole_list_it_judges_itself(most: int, fails: bool) -> None:
    inner = Flow("inner", max_attempts=1).map("m", "m", max_failures=most)
    outer = Flow("f").subflow("each", inner, over="$input")
    result = run(outer, [[1, 2], [2]], others=[inner], handlers={"m": refuse_odd_ones})
    assert result.success is not fails


def test_all_attempts_are_made_before_failures_are_counted() -> None:
    tries: list[int] = []

    def fail_once(value: int) -> int:
        tries.append(value)
        if tries.count(value) == 1:
            raise ValueError
        return value

    flow = Flow("f", base_delay=0).map("m", max_failures=0, batch_size=2)
    assert run(flow, [5, 6, 7], handlers={"m": fail_once}).success


@pytest.mark.parametrize(("most", "ends"), [(1, "completed"), (0, "failed")])
@pytest.mark.parametrize("is_last", [False, True])
def test_the_tables_tell_of_it(world: World, most: int, ends: str, is_last: bool) -> None:
    flow = Flow("f", max_attempts=1).map("m", max_failures=most, batch_size=1)
    world.define(flow if is_last else flow.step("z", "echo", depends_on="m"))
    dagster_run_id = world.run("f", {"m": refuse_odd_ones, "echo": lambda value: value}, [1, 2])
    world.settle()
    assert_log_is_sound(world, dagster_run_id)
    assert world.by_path("status")["m"] == ends
    assert world.tasks("m", "status") == ["failed", "completed"]
    assert is_last or world.by_path("status")["z"] == ("cancelled" if most == 0 else ends)
    run = world.one("runs")
    assert (run["status"], run["output"] is not None) == (ends, ends == "completed")
    told = world.one("step_states", "step_path = 'm'")["error_message"]
    assert ("raised NonRetryable: 1 is odd" in (told or "")) == (most == 0)
    before = world.snapshot()
    rebuild(world.instance, world.store)
    assert world.snapshot() == before


@pytest.mark.parametrize("mode", ["inline", "run"])
@pytest.mark.parametrize(("answer", "ends"), [("skip", "skipped"), ("fail", "failed")])
def test_a_failure_step_is_told_what_became_of_it(
    world: World, mode: Any, answer: Any, ends: str
) -> None:
    received: list[Any] = []
    inner = Flow("inner", max_attempts=1).map(
        "m", max_failures=0, when_exhausted=answer, batch_size=1
    )
    inner = inner.step("boom", depends_on="m")
    outer = (
        Flow("f")
        .subflow("sub", inner, mode=mode, on_failure="caught")
        .step("caught", depends_on="sub")
    )
    world.define(inner, outer)

    def boom(_value: Any) -> None:
        raise NonRetryable("boom")

    world.run("f", {"m": refuse_odd_ones, "boom": boom, "caught": received.append}, [1, 2])
    world.settle()
    assert world.by_path("status")["sub.m"] == ends
    assert world.one("runs")["status"] == "completed"
    [told] = received
    trace = {entry["step"]: entry["status"] for entry in told["sub"]["child_trace"]}
    assert trace["m"] == ends


@pytest.mark.parametrize("batch_size", [1, 2])
def test_a_run_that_goes_on_tries_again_what_failed(world: World, batch_size: int) -> None:
    """Nothing else is run again; to count the same failures again would help nobody."""
    is_up: list[bool] = []
    tried: list[int] = []

    def work(value: int) -> int:
        tried.append(value)
        if value % 2 and not is_up:
            raise NonRetryable("The bank is closed.")
        return value * 10

    flow = Flow("f", max_attempts=1).map("m", "work", batch_size=batch_size, max_failures=1)
    world.define(flow.step("z", "echo", depends_on="m"))
    job = world.job("f", {"work": work, "echo": lambda value: value})
    config = {"inputs": {"flow_input": [0, 1, 2, 3]}}
    run = execute(world.instance, job, first_run(world.instance, job, config))
    assert run.status is dg.DagsterRunStatus.FAILURE
    is_up.append(True)
    again = execute(world.instance, job, going_on(world.instance, job, run))
    assert again.status is dg.DagsterRunStatus.SUCCESS
    assert tried == [0, 1, 2, 3, 1, 3]
    world.settle()
    [output] = world.sql.column(
        "select output from pgflow.runs where run_id = %s", str(run_id_of(again))
    )
    assert output == {"z": {"m": [0, 10, 20, 30]}}


def test_a_run_ends_that_waits_for_a_counted_map_and_for_another_one() -> None:
    """Dagster 1.13 waits for ever where an op collects a map and waits for another fan-out."""

    def fail(_value: Any) -> None:
        raise NonRetryable("no")

    flow = Flow("f", max_attempts=1).step("p", "fail").step("q", "listed")
    flow = flow.map("m", "echo", depends_on="p", max_failures=1).map("n", "echo", depends_on="q")
    flow = flow.step("z", "echo", depends_on=["m", "n"]).step("w", "echo", depends_on="z")
    handlers = {"fail": fail, "listed": lambda _: [1, 2], "echo": lambda value: value}
    assert not run(flow, {}, handlers=handlers).success
