"""A run that nobody gave an input has no invented one: `{}`, with the defaults of its schema."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from click.testing import CliRunner
from dagster._cli.job import job_cli

from dagster_pgflow import Flow, build_definitions
from dagster_pgflow.location.location import Location
from tests.execution.projecting import World, world

SCHEMA = {
    "type": "object",
    "required": ["env"],
    "properties": {
        "env": {"type": "string", "enum": ["prod", "staging"]},
        "replicas": {"type": "integer", "default": 2},
    },
}
OPTIONAL = {"type": "object", "properties": SCHEMA["properties"]}
REFUSED = (
    'Step "deploy" failed: The input of flow "deploy" does not fit its input schema:'
    " $: 'env' is a required property"
)

__all__ = ["world"]

Launch = Callable[[World, str], None]
deployed: list[Any] = []


def deploy(given: Any) -> Any:
    deployed.append(given)
    return given


@pytest.fixture(autouse=True)
def nothing_deployed() -> None:
    deployed.clear()


def settings(world: World) -> dict[str, Any]:
    return {"handlers": [{"deploy": deploy}], "database_url": world.database.address.dsn}


def in_process(world: World, slug: str) -> None:
    """As the launch of a run does, or a backfill, with no config at all."""
    world.job(slug, {"deploy": deploy}).execute_in_process(
        instance=world.instance, raise_on_error=False
    )


def with_other_config(world: World, slug: str) -> None:
    world.job(slug, {"deploy": deploy}).execute_in_process(
        instance=world.instance,
        run_config={"loggers": {}, "resources": {}},
        raise_on_error=False,
    )


def selected(world: World, slug: str) -> None:
    world.job(slug, {"deploy": deploy}).execute_in_process(
        instance=world.instance, op_selection=["deploy"], raise_on_error=False
    )


def by_a_sensor(world: World, slug: str) -> None:
    name = f"flow_{slug}"

    @dg.sensor(job_name=name)
    def own_sensor() -> dg.RunRequest:
        return dg.RunRequest(run_key="today")

    mine = dg.Definitions(sensors=[own_sensor])
    merged = dg.Definitions.merge(mine, build_definitions(**settings(world)))
    repository = merged.get_repository_def()
    sensor = repository.get_sensor_def("own_sensor")
    context = dg.build_sensor_context(instance=world.instance)
    [request] = sensor.evaluate_tick(context).run_requests or ()
    repository.get_job(name).execute_in_process(
        instance=world.instance, run_config=request.run_config, raise_on_error=False
    )


def by_a_schedule(world: World, slug: str) -> None:
    job = Location(settings(world)).job(slug)  # type: ignore[arg-type]
    schedule = dg.ScheduleDefinition(job=job, cron_schedule="* * * * *")
    [request] = schedule.evaluate_tick(dg.build_schedule_context(world.instance)).run_requests or ()
    job.execute_in_process(
        instance=world.instance, run_config=request.run_config, raise_on_error=False
    )


WAYS = [in_process, with_other_config, selected, by_a_sensor, by_a_schedule]


@pytest.mark.parametrize("launch", WAYS)
def test_an_input_that_must_be_given_is_not_made_up(world: World, launch: Launch) -> None:
    world.define(Flow("deploy", input_schema=SCHEMA).step("deploy"))
    launch(world, "deploy")
    world.settle()
    assert deployed == []
    run = world.one("runs")
    assert (run["status"], run["input"], run["error_message"]) == (
        "failed",
        {"replicas": 2},
        REFUSED,
    )


@pytest.mark.parametrize("launch", WAYS)
def test_the_defaults_of_the_schema_are_the_input_and_the_row_says_so(
    world: World, launch: Launch
) -> None:
    world.define(Flow("deploy", input_schema=OPTIONAL).step("deploy"))
    launch(world, "deploy")
    world.settle()
    assert deployed == [{"replicas": 2}]
    run = world.one("runs")
    assert (run["status"], run["input"]) == ("completed", {"replicas": 2})
    assert run["output"] == {"deploy": {"replicas": 2}}


@pytest.mark.filterwarnings("ignore:Function `job_execute_command` is superseded")
@pytest.mark.parametrize(("schema", "status"), [(SCHEMA, "failed"), (OPTIONAL, "completed")])
def test_dagster_job_execute_has_no_input_of_its_own(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, schema: Any, status: str
) -> None:
    world.define(
        Flow("deploy", input_schema=schema).step(
            "deploy", "pgflow.transform", params={"expression": "flow_input"}
        )
    )
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.setenv("PGFLOW_DATABASE_URL", world.database.address.dsn)
    (tmp_path / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    (tmp_path / "location.py").write_text(
        "from dagster_pgflow import build_repository\nflows = build_repository()\n"
    )
    words = ["execute", "-f", str(tmp_path / "location.py"), "-j", "deploy"]
    CliRunner().invoke(job_cli, words)
    with dg.DagsterInstance.from_config(os.environ["DAGSTER_HOME"]) as instance:
        world.instance = instance
        world.settle()
    run = world.one("runs")
    assert (run["status"], run["input"]) == (status, {"replicas": 2})


def test_a_map_over_nothing_that_was_asked_for_says_so(world: World) -> None:
    world.define(Flow("deploy").map("deploy"))
    in_process(world, "deploy")
    world.settle()
    run = world.one("runs")
    assert (deployed, run["status"], run["input"]) == ([], "failed", {})
    assert "is an object" in run["error_message"]


def test_the_default_of_a_whole_schema_is_the_input_where_nobody_gives_one(world: World) -> None:
    schema = {"type": "array", "default": [1, {}], "items": {"properties": {"n": {"default": 0}}}}
    world.define(Flow("deploy", input_schema=schema).map("deploy"))
    in_process(world, "deploy")
    world.settle()
    assert deployed == [1, {"n": 0}]
    assert world.one("runs")["input"] == [1, {"n": 0}]


CHILD = Flow("child", input_schema=OPTIONAL).step("deploy")


@pytest.mark.parametrize(
    ("flow", "asked", "received"),
    [
        (Flow("f").subflow("s", CHILD), {}, [{}]),
        (Flow("f").subflow("s", CHILD, input={"env": "prod"}), {}, [{"env": "prod"}]),
        (Flow("f").subflow("s", CHILD, mode="run"), {"replicas": 5}, [{"replicas": 5}]),
        (Flow("f").subflow("s", CHILD, mode="run"), {}, [{}]),
        (Flow("f").subflow("s", CHILD, run_if="flow_input.n > 1"), {"n": 2}, [{"n": 2}]),
        (Flow("f").subflow("s", CHILD, over="$input.rows"), {"rows": [{}, {"env": "prod"}]}, None),
        (
            Flow("f").subflow("s", CHILD, over="$input.rows", mode="run"),
            {"rows": [{}, {"env": "prod"}]},
            [{}, {"env": "prod"}],
        ),
        (
            Flow("f").step("a", "rows").subflow("s", CHILD, depends_on="a", over="a"),
            {},
            [{}, {"env": "prod"}],
        ),
    ],
)
def test_a_flow_inside_another_has_its_defaults_and_its_row_says_so(
    world: World, flow: Flow, asked: Any, received: list[Any] | None
) -> None:
    world.define(CHILD, flow)
    handlers = {"deploy": deploy, "rows": lambda _: [{}, {"env": "prod"}]}
    world.run("f", handlers, asked)
    world.settle()
    wanted = [{"replicas": 2, **one} for one in received or asked["rows"]]
    assert deployed == wanted
    assert [row for [row] in world.subruns("input")] == wanted
    before = world.snapshot()
    world.look_again()
    assert world.snapshot() == before


def test_each_pass_of_a_loop_has_the_defaults_of_its_flow(world: World) -> None:
    loop = Flow("f", input_schema=OPTIONAL).step("deploy")
    loop = loop.loop(
        "again",
        back_to="deploy",
        condition="ctx.iteration < flow_input.replicas",
        max_iterations=3,
        depends_on="deploy",
    )
    world.define(loop)
    in_process(world, "f")
    world.settle()
    assert world.one("runs")["status"] == "completed"
    assert len(deployed) == 2
    assert deployed[0] == {"replicas": 2}


def test_a_run_inside_another_tells_what_is_wrong_with_its_input(world: World) -> None:
    world.define(
        Flow("child", input_schema=SCHEMA).step("deploy"),
        Flow("f")
        .step("a", "env")
        .subflow("s", "child", depends_on="a", mode="run", input={"env": "$nodes.a"}),
    )
    world.run("f", {"deploy": deploy, "env": lambda _: 7})
    world.settle()
    told = world.one("runs")["error_message"]
    assert 'The input of flow "child"' in told
    assert "$.env: 7 is not" in told


def test_a_large_input_of_a_closed_schema_is_fetched_and_laid_over_the_defaults(
    world: World,
) -> None:
    fields = {"text": {"type": "string"}, "replicas": {"type": "integer", "default": 2}}
    closed = {"type": "object", "properties": fields, "additionalProperties": False}
    world.define(Flow("deploy", input_schema=closed).step("deploy"))
    run_id = world.requests.start("deploy", {"text": "x" * 100_000})
    location = Location(settings(world))  # type: ignore[arg-type]
    sensor = location.sensors()["pgflow_requests"]()
    tick = sensor.evaluate_tick(dg.build_sensor_context(instance=world.instance))
    assert tick.run_requests
    [request] = tick.run_requests
    assert len(str(request.run_config)) < 200
    location.job("deploy").execute_in_process(
        instance=world.instance, run_config=request.run_config, tags=dict(request.tags)
    )
    world.settle()
    assert deployed == [{"text": "x" * 100_000, "replicas": 2}]
    run = world.one("runs")
    assert (run["run_id"], run["input"]) == (str(run_id), deployed[0])


@pytest.mark.parametrize("wrong", [{"replicas": "many"}, {"env": "produ"}, {"env": None}])
def test_a_request_with_a_wrong_type_ends_as_a_run_that_says_so(world: World, wrong: Any) -> None:
    world.define(Flow("deploy").step("deploy"))
    run_id = world.requests.start("deploy", wrong)
    world.define(Flow("deploy", input_schema=SCHEMA).step("deploy"))
    sensor = Location(settings(world)).sensors()["pgflow_requests"]()  # type: ignore[arg-type]
    tick = sensor.evaluate_tick(dg.build_sensor_context(instance=world.instance))
    assert not tick.run_requests
    run = world.one("runs")
    assert (run["run_id"], run["status"]) == (str(run_id), "failed")
    assert "does not fit the input schema" in run["error_message"]
