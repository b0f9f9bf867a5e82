"""Flows beside jobs, assets and sensors that are not ours: a name that is taken costs the flow."""

from typing import Any

import dagster as dg
import pytest

from dagster_pgflow import Flow, FlowBuilder, build_definitions, flow_run_request
from dagster_pgflow.errors import ConfigurationError
from dagster_pgflow.store.requests import Requests
from tests.execution.code_servers import served
from tests.postgres import Session

HANDLERS = {"charge": lambda given: given}


@dg.op
def order__charge() -> None: ...


@dg.graph(name="charge")
def charge_graph() -> None:
    order__charge()


@dg.job(name="order")
def order_job() -> None:
    charge_graph()


@dg.asset(key=["order", "charge"])
def order_charge() -> int:
    return 1


@dg.asset
def order() -> int:
    return 1


ASSET_JOB = dg.define_asset_job("order", selection="*")
SENSOR = dg.SensorDefinition("watch", evaluation_fn=lambda _context: None, job=order_job)
SCHEDULE = dg.ScheduleDefinition(name="tick", job=order_job, cron_schedule="0 0 * * *")


@pytest.fixture
def flows(builder: FlowBuilder) -> None:
    """A flow `order` with a schedule, one that contains it, and one apart from it."""
    inner = Flow("order").step("charge").schedule("nightly", "0 2 * * *")
    builder.define_flows(
        [inner, Flow("around").subflow("order", inner), Flow("other").step("charge")]
    )


def location(database_url: str, mine: dg.Definitions, **settings: Any) -> dg.Definitions:
    return build_definitions(mine, database_url=database_url, handlers=[HANDLERS], **settings)


@pytest.mark.parametrize(
    "mine",
    [
        dg.Definitions(jobs=[order_job]),
        dg.Definitions(assets=[order_charge], jobs=[ASSET_JOB]),
        dg.Definitions(sensors=[SENSOR]),
        dg.Definitions(schedules=[SCHEDULE]),
    ],
    ids=["job", "job of assets", "job of a sensor", "job of a schedule"],
)
def test_a_flow_that_is_called_as_a_job_has_none_and_its_requests_say_so(  # noqa: PLR0917
    database_url: str,
    flows: None,
    requests: Requests,
    sql: Session,
    mine: dg.Definitions,
    caplog: pytest.LogCaptureFixture,
) -> None:
    repository = location(database_url, mine).get_repository_def()
    snap = served(repository)

    assert {job.name for job in snap.job_refs or ()} >= {"order", "around", "other"}
    assert "order__nightly" not in [schedule.name for schedule in snap.schedules]
    assert 'Flow "order" cannot be run here: this code location has another job' in caplog.text
    ran = repository.get_job("around").execute_in_process(run_config={"inputs": {"flow_input": 7}})
    assert ran.output_for_node("order.charge") == 7

    refused, started = requests.start("order", {}), requests.start("other", {})
    with dg.DagsterInstance.ephemeral() as instance:
        tick = repository.get_sensor_def("pgflow_requests").evaluate_tick(
            dg.build_sensor_context(instance=instance)
        )
    assert [request.run_key for request in tick.run_requests or ()] == [str(started)]
    assert sql.value("select error_message from pgflow.runs where run_id = %s", str(refused)) == (
        'Flow "order" cannot be run here: this code location has another job with the name order.'
        " Rename one of the two, or give the code location a job_prefix."
    )


@dg.graph(name="other")
def other_graph() -> None:
    order__charge()


@dg.job
def theirs() -> None:
    charge_graph()
    other_graph()


@pytest.mark.parametrize(
    "mine",
    [dg.Definitions(jobs=[theirs]), dg.Definitions(assets=[order_charge, order])],
    ids=["ops and graphs", "assets"],
)
def test_ops_graphs_and_assets_have_other_names_than_ours(
    database_url: str, flows: None, mine: dg.Definitions
) -> None:
    repository = location(database_url, mine).get_repository_def()

    assert {job.name for job in served(repository).job_refs or ()} >= {"order", "around", "other"}
    ran = repository.get_job("order").execute_in_process(run_config={"inputs": {"flow_input": 7}})
    assert ran.output_for_node("charge") == 7


@pytest.mark.parametrize(
    "mine",
    [
        dg.Definitions(
            schedules=[
                dg.ScheduleDefinition(
                    name="order__nightly", cron_schedule="0 0 * * *", target=[order_charge]
                )
            ],
            assets=[order_charge],
        ),
        dg.Definitions(
            sensors=[
                dg.SensorDefinition(
                    "order__nightly", evaluation_fn=lambda _context: None, target=[order_charge]
                )
            ],
            assets=[order_charge],
        ),
    ],
    ids=["schedule", "sensor"],
)
def test_a_schedule_whose_name_is_taken_is_left_out(
    database_url: str, flows: None, mine: dg.Definitions, caplog: pytest.LogCaptureFixture
) -> None:
    snap = served(location(database_url, mine).get_repository_def())
    assert "order" in [job.name for job in snap.job_refs or ()]
    names = [schedule.name for schedule in snap.schedules]
    names += [sensor.name for sensor in snap.sensors]
    assert names.count("order__nightly") == 1
    assert 'Schedule "nightly" of flow "order" cannot be run here' in caplog.text


def test_a_sensor_of_the_code_that_is_called_as_one_of_ours_is_told(
    database_url: str, flows: None
) -> None:
    taken = dg.SensorDefinition("pgflow_catalog", evaluation_fn=lambda _c: None, job=order_job)
    with pytest.raises(ConfigurationError, match='name="pgflow_flows"'):
        location(database_url, dg.Definitions(sensors=[taken]))
    mine = dg.Definitions(sensors=[taken])
    snap = served(location(database_url, mine, name="flows").get_repository_def())
    assert {"pgflow_catalog", "flows_catalog"} <= {sensor.name for sensor in snap.sensors}


def test_resources_of_the_same_key_stay_apart(database_url: str, flows: None) -> None:
    mine = dg.Definitions(resources={"pgflow": "theirs", "pgflow_io_manager": "theirs"})
    repository = location(database_url, mine).get_repository_def()
    served(repository)
    ran = repository.get_job("order").execute_in_process(run_config={"inputs": {"flow_input": 7}})
    assert ran.output_for_node("charge") == 7


@pytest.mark.parametrize(
    "mine",
    [dg.Definitions(jobs=[order_job]), dg.Definitions(jobs=[ASSET_JOB], assets=[order_charge])],
    ids=["job", "job of assets"],
)
def test_where_other_definitions_cannot_be_seen_flows_have_a_prefix(
    database_url: str, flows: None, requests: Requests, mine: dg.Definitions
) -> None:
    merged = dg.Definitions.merge(
        mine, build_definitions(database_url=database_url, handlers=[HANDLERS])
    )
    repository = merged.get_repository_def()
    snap = served(repository)

    names = [ref.name for ref in snap.job_refs or ()]
    assert {"order", "flow_order", "flow_around", "flow_other"} <= set(names)
    assert "flow_order__nightly" in [schedule.name for schedule in snap.schedules]
    run_id = requests.start("order", {})
    with dg.DagsterInstance.ephemeral() as instance:
        tick = repository.get_sensor_def("pgflow_requests").evaluate_tick(
            dg.build_sensor_context(instance=instance)
        )
    [request] = tick.run_requests or ()
    assert (request.job_name, request.run_key) == ("flow_order", str(run_id))
    assert flow_run_request("order", job_prefix="flow_").job_name == "flow_order"


def test_a_prefix_that_begins_no_name_is_told(database_url: str) -> None:
    with pytest.raises(ConfigurationError, match='job_prefix="1-" cannot begin a name'):
        build_definitions(database_url=database_url, job_prefix="1-")
