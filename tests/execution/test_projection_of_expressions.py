"""What the run tables say about conditions in CEL, written in SQL."""

from dagster_pgflow.model.flow import Flow
from tests.execution.projecting import World, assert_log_is_sound, world
from tests.postgres import Session

__all__ = ["world"]

CHILD = Flow("child").step("inside", "echo")
HANDLERS = {"echo": lambda value: value, "list": lambda _: [1, 2, 3]}


def add_steps(sql: Session, condition: str) -> None:
    """Store a flow whose every kind of step has the condition."""
    settings = f"run_if => '{condition}'"
    sql("select pgflow.create_flow('f')")
    sql("select pgflow.add_step('f', 'list')")
    for slug, kind in (
        ("one", "handler => 'echo'"),
        ("each", "handler => 'echo', step_type => 'map'"),
        ("sub", "step_type => 'subflow', subflow_slug => 'child'"),
    ):
        sql(f"select pgflow.add_step('f', '{slug}', array['list'], {kind}, {settings})")


def test_conditions_that_hold_run_every_kind_of_step(world: World, sql: Session) -> None:
    world.define(CHILD)
    add_steps(sql, "size(output) > flow_input.least")
    dagster_run_id = world.run("f", HANDLERS, {"least": 2})
    world.settle()
    assert set(world.by_path("status").values()) == {"completed"}
    assert world.one("runs")["output"] == {
        "one": {"list": [1, 2, 3]},
        "each": [1, 2, 3],
        "sub": {"inside": {"list": [1, 2, 3]}},
    }
    assert_log_is_sound(world, dagster_run_id)


def test_conditions_that_do_not_hold_skip_every_kind_of_step(world: World, sql: Session) -> None:
    world.define(CHILD)
    add_steps(sql, "size(output) > flow_input.least")
    dagster_run_id = world.run("f", HANDLERS, {"least": 3})
    world.settle()
    run = world.one("runs")
    assert (run["status"], run["output"]) == ("completed", None)
    assert world.by_path("skip_reason") == {
        "list": None,
        "one": "condition_unmet",
        "each": "condition_unmet",
        "sub": "condition_unmet",
        "sub.inside": "dependency_skipped",
    }
    assert world.one("subruns")["status"] == "skipped"
    assert_log_is_sound(world, dagster_run_id)


def test_a_subflow_that_may_not_run_fails_by_itself(world: World) -> None:
    flow = Flow("f").subflow("sub", "child", run_if="input.n > 1", when_unmet="fail")
    world.define(CHILD, flow)
    dagster_run_id = world.run("f", HANDLERS, {"n": 1})
    world.settle()
    assert world.by_path("status") == {"sub": "failed", "sub.inside": "cancelled"}
    message = 'Step "sub" may not run: condition not met, run_if `input.n > 1` is false'
    message += " (input.n is 1)."
    assert world.by_path("error_message")["sub"] == message
    assert_log_is_sound(world, dagster_run_id)


def test_an_expression_that_sql_let_in_fails_the_run_with_the_problem(
    world: World, sql: Session
) -> None:
    world.define(CHILD)
    add_steps(sql, "inptu.n > 1")
    world.run("f", HANDLERS, {"n": 1})
    world.settle()
    run = world.one("runs")
    assert run["status"] == "failed"
    assert "`inptu.n > 1` is not a condition: line 1, column 1" in run["error_message"]
