"""What is in Dagster's tables does not depend on whether events went there in batches."""

import uuid
from collections.abc import Callable, Mapping

import dagster as dg
import pytest

from tests.event_storage import jobs
from tests.event_storage.deployments import Deployment
from tests.event_storage.tables import all_tables

Runs = Callable[[dg.DagsterInstance], None]


def run_id(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, name))


def run(name: str, partition: str | None = None) -> Runs:
    """Runs a job in this process, with tags."""

    def execute(instance: dg.DagsterInstance) -> None:
        job = jobs.definitions.resolve_job_def(name)
        job.execute_in_process(
            instance=instance,
            run_id=run_id(f"{name} {partition}"),
            tags={"team": "blue"},
            partition_key=partition,
            raise_on_error=False,
        )

    return execute


def run_in_processes(instance: dg.DagsterInstance) -> None:
    """Runs a job each of whose steps has a process."""
    with dg.execute_job(dg.reconstructable(jobs.runs_elsewhere), instance) as result:
        assert result.success


def change_partitions(instance: dg.DagsterInstance) -> None:
    instance.add_dynamic_partitions("colours", ["red", "green"])
    instance.delete_dynamic_partition("colours", "red")


def limit_pools(instance: dg.DagsterInstance) -> None:
    instance.event_log_storage.set_concurrency_slots("narrow", 2)
    run("uses_a_pool")(instance)


def delete_a_run(instance: dg.DagsterInstance) -> None:
    run("succeeds")(instance)
    run("maps")(instance)
    instance.delete_run(run_id("succeeds None"))


def log_without_a_run(instance: dg.DagsterInstance) -> None:
    instance.report_runless_asset_event(dg.AssetMaterialization("outside", tags={"a": "b"}))
    instance.wipe_assets([dg.AssetKey("outside")])


SCENARIOS: Mapping[str, Runs] = {
    "success": run("succeeds"),
    "failure": run("fails"),
    "retries": run("tries_again"),
    "map": run("maps"),
    "cancel": run("is_cancelled"),
    "processes": run_in_processes,
    "assets": run("assets", "monday"),
    "pools": limit_pools,
    "dynamic partitions": change_partitions,
    "a deleted run": delete_a_run,
    "events without a run": log_without_a_run,
}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_table_has_the_same_rows_in_the_same_order(
    scenario: str, ours: Deployment, plain: Deployment
) -> None:
    for one in (ours, plain):
        SCENARIOS[scenario](one.instance)
    written, expected = (all_tables(one.dsn, one.home) for one in (ours, plain))
    assert written.keys() == expected.keys()
    assert any(expected.values())
    for name, rows in expected.items():
        for mine, theirs in zip(written[name], rows, strict=True):
            assert mine == theirs, name
