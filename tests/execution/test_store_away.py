"""A code location whose database cannot be used: it loads, says so, and recovers by itself."""

from collections.abc import Callable
from typing import Any

import dagster as dg
import pytest

from dagster_pgflow import Flow, FlowBuilder, build_definitions, build_repository
from dagster_pgflow.errors import StoreUnreachable
from dagster_pgflow.location.location import Location
from dagster_pgflow.store.catalog import Catalog
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.migrator import migrate
from tests.execution.code_servers import served
from tests.polling import poll
from tests.run_worker import pinned_to

NOWHERE = "postgresql://127.0.0.1:1/none"
OUR_SENSORS = {
    "pgflow_asset_events",
    "pgflow_catalog",
    "pgflow_projection",
    "pgflow_requests",
    "pgflow_stuck_runs",
}


@dg.asset
def theirs() -> int:
    return 7


MINE = dg.Definitions(assets=[theirs])


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGFLOW_DATABASE_PATIENCE", "0")


def repository_alone(**settings: Any) -> dg.RepositoryDefinition:
    return build_repository(**settings)


def repository_merged(**settings: Any) -> dg.RepositoryDefinition:
    return build_definitions(MINE, **settings).get_repository_def()


@pytest.mark.parametrize("build", [repository_alone, repository_merged])
def test_without_a_database_a_location_loads_and_says_that_it_has_no_flows(
    build: Callable[..., dg.RepositoryDefinition], caplog: pytest.LogCaptureFixture
) -> None:
    repository = build(database_url=NOWHERE)
    snap = served(repository)

    assert {sensor.name for sensor in snap.sensors} >= OUR_SENSORS
    assert "No PostgreSQL answers at 127.0.0.1:1/none" in caplog.text
    told = skipped(repository)
    assert told.startswith("No flows are loaded. No PostgreSQL answers at 127.0.0.1:1/none")
    assert told.endswith("They are loaded as soon as it answers.")


def skipped(repository: dg.RepositoryDefinition, origin: Any = None) -> str:
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_sensor_context(instance=instance)
        context._code_location_origin = origin
        tick = repository.get_sensor_def("pgflow_catalog").evaluate_tick(context)
    return str(tick.skip_message)


def test_assets_beside_the_flows_run_whatever_became_of_the_database() -> None:
    repository = build_definitions(MINE, database_url=NOWHERE).get_repository_def()
    # What such a code server pins its runs to.
    with pinned_to(0):
        worker = build_definitions(MINE, database_url=NOWHERE)
    assert repository.assets_defs_by_key.keys() == {dg.AssetKey("theirs")}
    ran = worker.resolve_implicit_global_asset_job_def().execute_in_process()
    assert ran.output_for_node("theirs") == 7


class CodeServer:
    """Stands for the server at the other end of gRPC; counts what it is asked."""

    def __init__(self) -> None:
        self.reloads = 0

    def create_client(self) -> "CodeServer":
        return self

    def reload_code(self, timeout: int) -> None:  # noqa: ARG002
        self.reloads += 1


def test_flows_are_loaded_as_soon_as_the_schema_is_there(
    empty_database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    repository = build_repository(database_url=empty_database_url)
    assert [job.name for job in served(repository).job_refs or ()] == [
        "pgflow__answer",
        "pgflow__start_flow",
    ]
    assert "dagster-pgflow migrate" in caplog.text
    server = CodeServer()
    assert "dagster-pgflow migrate" in skipped(repository, server)
    assert server.reloads == 0

    database = Database(empty_database_url)
    migrate(database)
    FlowBuilder(database).define_flow(Flow("f").step("a"))

    assert skipped(repository, server) == "Flows have changed; loading them (version 1)."
    poll(lambda: server.reloads)
    again = build_repository(database_url=empty_database_url)
    assert again.job_names == ["f", "pgflow__answer", "pgflow__start_flow"]


def test_a_location_that_was_loaded_without_a_database_is_loaded_again_also_when_it_has_no_flows(
    empty_database_url: str,
) -> None:
    repository = build_repository(database_url=empty_database_url)
    migrate(Database(empty_database_url))
    server = CodeServer()
    assert "loading them" in skipped(repository, server)
    poll(lambda: server.reloads)


@pytest.mark.parametrize("build", [repository_alone, repository_merged])
def test_a_run_worker_without_a_database_says_so(
    build: Callable[..., dg.RepositoryDefinition],
) -> None:
    with pinned_to(7), pytest.raises(StoreUnreachable, match=r"No PostgreSQL answers at 127\.0"):
        build(database_url=NOWHERE)


def test_a_location_that_loses_its_database_while_it_loads_has_no_half_of_the_flows(
    database_url: str, builder: FlowBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    builder.define_flow(Flow("f").step("a"))

    def away(_catalog: Catalog, _watermark: int) -> None:
        raise StoreUnreachable("No PostgreSQL answers any more.")

    with monkeypatch.context() as lost:
        lost.setattr(Catalog, "flows", away)
        location = Location({"database_url": database_url})
    assert list(location.flows) == []
    assert location.watermark == 0
