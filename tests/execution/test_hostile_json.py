"""Any JSON that the product takes arrives as it was, everywhere, and disturbs nothing.

It goes all the way: SQL, the request sensor, a run in this process with everything that carries
values (steps, maps, branches, subflows, runs of their own), and the projection. For a long
search: `pytest tests/execution/test_hostile_json.py --hypothesis-profile=deep --timeout=0`.
"""

import json
from typing import Any

import dagster as dg
import pytest
from dagster_shared.serdes import deserialize_value, serialize_value
from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_pgflow import Flow
from dagster_pgflow.json_values.limits import problem_of
from dagster_pgflow.location.location import Location
from tests import hostile_json
from tests.execution.projecting import World, world
from tests.postgres import Session

__all__ = ["world"]

SHORT_SEARCH = 4

EACH = Flow("each").step("x", "echo")
HOSTILE = (
    Flow("hostile")
    .step("a", "echo")
    .step("b", "echo", depends_on="a")
    .map("m", "echo", batch_size=2)
    .branch("route", rules=[("true", "taken")], depends_on="a")
    .step("taken", "echo", depends_on="route")
    .subflow("inline", EACH, input={"value": "$nodes.a"}, depends_on="a")
    .subflow("apart", EACH, input={"value": "$nodes.a"}, depends_on="a", mode="run")
    .subflow("items", EACH, over="$nodes.a", depends_on="a")
    .step("asked", "echo", depends_on="b", run_if="has(input.b)")
)
NORMAL = Flow("normal").step("a", "echo")
HANDLERS = {"echo": lambda value: value, "quick": lambda value: value}

Values = list[Any]


def in_limits(values: Values) -> bool:
    """Return whether values may be an input: one more level, and one for a mapping's field."""
    return problem_of([[values]]) is None


lists = st.lists(hostile_json.accepted, min_size=1, max_size=4).filter(in_limits)


class Deployment:
    """A code location, its sensor, and a daemon that starts what the sensor asks for."""

    def __init__(self, world: World) -> None:
        self.world = world
        url = world.database.address.dsn
        given: Any = {"handlers": [HANDLERS], "database_url": url}
        self.location = Location(given)
        self._requests = self.location.sensors()["pgflow_requests"]()

    def tick(self) -> None:
        """Asks the sensor, and runs what it asks for."""
        context = dg.build_sensor_context(instance=self.world.instance)
        told = self._requests.evaluate_tick(context)
        for written in map(serialize_value, told.run_requests):
            request = deserialize_value(written, dg.RunRequest)
            self.location.job(str(request.job_name)).execute_in_process(
                instance=self.world.instance,
                run_config=request.run_config,
                tags=dict(request.tags),
                raise_on_error=False,
            )


def as_stored(sql: Session, value: Any) -> Any:
    """Returns a value as PostgreSQL has it: it knows no -0.0, and 1e22 only as an integer."""
    return json.loads(sql.value("select %s::jsonb::text", json.dumps(value)))


@settings(
    max_examples=max(SHORT_SEARCH, settings().max_examples // 10)
    if settings().max_examples > 100
    else SHORT_SEARCH,
)
@given(lists)
def test_an_input_that_is_taken_arrives_everywhere_and_disturbs_nothing(
    world: World, sql: Session, values: Values
) -> None:
    world.define(EACH, HOSTILE, NORMAL)
    deployment = Deployment(world)
    start = "select run_id from pgflow.start_flow(%s, %s::jsonb)"
    run_id = sql.value(start, "hostile", json.dumps(values))
    normal = sql.value(start, "normal", '{"n": 1}')
    deployment.tick()
    assert world.project().problems == []
    world.settle()

    wanted = as_stored(sql, values)
    run = world.one("runs", f"run_id = '{run_id}'")
    assert (run["status"], run["error_message"]) == ("completed", None)
    assert run["input"] == wanted
    outputs = dict(
        sql("select step_path, output from pgflow.step_states where run_id = %s", run_id)
    )
    assert outputs["a"] == outputs["m"] == outputs["route"] == wanted
    assert outputs["b"] == {"a": wanted}
    assert outputs["taken"] == {"route": wanted}
    # A rule about a value that is nested very deeply has no answer, and counts as false.
    assert outputs["asked"] in (None, {"b": {"a": wanted}})
    assert outputs["inline"] == outputs["apart"] == {"x": {"value": wanted}}
    assert outputs["items"] == [{"x": item} for item in wanted]
    assert world.one("runs", f"run_id = '{normal}'")["status"] == "completed"
    assert_readable(world.instance)


def assert_readable(instance: dg.DagsterInstance) -> None:
    """Checks that the run list of the instance and the logs of its runs can be read."""
    runs = instance.get_runs(limit=20)
    assert len(runs) >= 3
    for run in runs:
        assert instance.all_logs(run.run_id)
        assert deserialize_value(serialize_value(run), dg.DagsterRun) == run


@settings(
    max_examples=settings().max_examples // 4,
)
@given(hostile_json.refused_texts)
def test_what_is_refused_is_refused_at_once_and_with_a_sentence(
    world: World, sql: Session, text: str
) -> None:
    world.define(NORMAL)
    with pytest.raises(Exception, match=r"is refused: it |invalid input syntax|Unicode") as refused:
        sql("select pgflow.start_flow('normal', %s::jsonb)", text)
    assert "stack" not in str(refused.value)
    assert sql.value("select count(*) from pgflow.run_requests") == 0
