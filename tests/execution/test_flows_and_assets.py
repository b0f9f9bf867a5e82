"""Assets, sensors and ops of a deployment beside its flows: what starts what."""

from pathlib import Path
from typing import Any
from uuid import UUID

import dagster as dg
import pytest

from dagster_pgflow import Flow, FlowBuilder, PgflowResource, build_repository, flow_run_request
from dagster_pgflow.errors import ConfigurationError, StoreUnreachable
from dagster_pgflow.names import LOAD_DATA_KEY
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.requests import Requests

LOAD = Flow("load").step("fetch")


@dg.asset_sensor(asset_key=dg.AssetKey("raw_orders"), job_name="load")
def on_raw_orders(
    context: dg.SensorEvaluationContext, event: dg.EventLogEntry
) -> dg.RunRequest | None:
    """The recipe of the page: an asset was materialized, so a flow runs."""
    materialization = event.asset_materialization
    assert materialization is not None
    return flow_run_request("load", {"rows": materialization.metadata["rows"].value})


@dg.asset
def tally(pgflow: PgflowResource) -> dg.MaterializeResult[Any]:
    run_id = pgflow.start("load", {"rows": 2})
    return dg.MaterializeResult(metadata={"run_id": str(run_id)})


@pytest.fixture
def stored(database: Database) -> Database:
    FlowBuilder(database).define_flow(LOAD)
    return database


def test_a_sensor_beside_the_flows_starts_one_when_an_asset_of_another_location_was_made(
    stored: Database,
) -> None:
    repository = build_repository(
        assets=[dg.AssetSpec("raw_orders")],
        sensors=[on_raw_orders],
        database_url=stored.address.dsn,
        handlers=[{"fetch": lambda rows: rows}],
    )
    assert repository.name == "pgflow"
    assert repository.repository_load_data is not None
    assert LOAD_DATA_KEY in repository.repository_load_data.reconstruction_metadata
    assert repository.has_job("load")
    with dg.DagsterInstance.ephemeral() as instance:
        instance.report_runless_asset_event(
            dg.AssetMaterialization("raw_orders", metadata={"rows": 3})
        )
        sensor = repository.get_sensor_def("on_raw_orders")
        context = dg.build_sensor_context(instance, repository_def=repository)
        [request] = sensor.evaluate_tick(context).run_requests or []
        assert request.job_name == "load"
        done = repository.get_job("load").execute_in_process(request.run_config, instance=instance)
        assert done.success
        assert done.output_for_node("fetch") == {"rows": 3}


def test_assets_take_the_store_as_a_resource_and_its_address_from_the_environment(
    stored: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_DATABASE", stored.address.dsn)
    resource = PgflowResource(database_url=dg.EnvVar("SHOP_DATABASE"))
    result = dg.materialize([tally], resources={"pgflow": resource})
    [made] = result.asset_materializations_for_node("tally")
    run_id = UUID(str(made.metadata["run_id"].value))
    given = PgflowResource(database_url=stored.address.dsn)
    assert given.report(run_id).run.status == "queued"
    assert given.start("load", {"rows": 2}, run_id=run_id) == run_id
    assert given.open_waits("load") == ()
    assert given.signal("paid", {"cents": 1}, key="order-1") == 0
    assert Requests(given.database).take_back(run_id, "Enough seen.")


def test_what_dagster_shows_of_a_resource_has_no_password() -> None:
    resources = {
        "one": PgflowResource(database_url="postgresql://me:secret@nowhere/shop"),
        "other": PgflowResource(database_url="postgresql://me:second_secret@nowhere/shop"),
    }
    repository = dg.Definitions(resources=resources).get_repository_def()
    told = [
        str(made.config_schema.default_value_as_json_str)
        for made in repository.get_top_level_resources().values()
    ]
    assert ["secret" in text for text in (*told, repr(resources))] == [False] * 3
    assert told[0] != told[1]
    passwords = {str(one.database.address.dsn) for one in resources.values()}
    assert len(passwords) == 2


def test_a_resource_says_which_server_does_not_answer_and_never_its_password(
    tmp_path: Path,
) -> None:
    resource = PgflowResource(database_url=f"postgresql://me:secret@/shop?host={tmp_path}")
    with pytest.raises(StoreUnreachable, match=str(tmp_path)) as raised:
        resource.start("load")
    assert "secret" not in str(raised.value)


def test_a_sensor_called_as_one_of_the_flows_sensors_is_refused(stored: Database) -> None:
    @dg.sensor(name="pgflow_requests", job_name="load")
    def taken() -> dg.SkipReason:
        return dg.SkipReason("Never.")

    with pytest.raises(ConfigurationError, match='another schedule or sensor "pgflow_requests"'):
        build_repository(sensors=[taken], database_url=stored.address.dsn)
