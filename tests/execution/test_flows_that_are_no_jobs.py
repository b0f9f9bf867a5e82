"""Flows that the code location does not list, and versions that it does not have, run as well."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import dagster as dg
import pytest
from dagster._core.definitions.reconstruct import ReconstructableRepository
from dagster._core.test_utils import instance_for_test
from dagster._grpc.types import ExecuteRunArgs
from dagster._serdes import serialize_value

from dagster_pgflow import Flow, FlowBuilder, build_definitions, build_repository
from dagster_pgflow.launching.flow_runs import create_flow_run, dagster_run_id
from dagster_pgflow.launching.origins import Origins, origins_of
from dagster_pgflow.location.location import Location
from dagster_pgflow.location.settings import LocationSettings
from dagster_pgflow.names import TAG_FLOW, TAG_RUN_ID, TAG_WATERMARK
from dagster_pgflow.projection.sync.projector import project
from dagster_pgflow.store.catalog import Catalog
from dagster_pgflow.store.requests import Requests
from dagster_pgflow.triggers import request_sensor
from tests.execution.ticks import publish, tick_context
from tests.postgres import Session, as_role
from tests.run_worker import load_data, pinned_to

STAND_IN = "pgflow__start_flow"
HANDLERS = {"a": lambda given: given}


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


class Server:
    """A loaded code location, and the daemon that asks its request sensor."""

    def __init__(self, database_url: str, instance: dg.DagsterInstance, **settings: Any) -> None:
        given: LocationSettings = {
            "database_url": as_role(database_url, "worker"),
            "handlers": [HANDLERS],
        }
        self.location = Location(given | settings)  # type: ignore[arg-type]
        self.instance = instance
        self._sensor = self.location.sensors()["pgflow_requests"]()

    def tick(self, cursor: str | None = None) -> Any:
        return self._sensor.evaluate_tick(tick_context(self.instance, cursor))

    def asks_for(self, cursor: str | None = None) -> list[tuple[str | None, str | None]]:
        return [(run.job_name, run.run_key) for run in self.tick(cursor).run_requests]


def created_run(instance: dg.DagsterInstance, run_id: UUID) -> dg.DagsterRun:
    run = instance.get_run_by_id(str(dagster_run_id(run_id)))
    assert run is not None
    return run


def steps_of(instance: dg.DagsterInstance, run: dg.DagsterRun) -> list[str]:
    assert run.job_snapshot_id is not None
    return sorted(instance.get_job_snapshot(run.job_snapshot_id).node_names)


def test_the_sensor_creates_the_run_of_a_flow_that_is_no_job_and_has_it_submitted(
    database_url: str, builder: FlowBuilder, requests: Requests, instance: dg.DagsterInstance
) -> None:
    builder.define_flow(Flow("f").step("a"))
    run_id = requests.start("f", {"n": 1})
    server = Server(database_url, instance, jobs="tagged")

    assert server.asks_for() == [(STAND_IN, str(run_id))]

    run = created_run(instance, run_id)
    assert (run.job_name, run.status) == ("f", dg.DagsterRunStatus.NOT_STARTED)
    assert run.run_config == {"inputs": {"flow_input": {"n": 1}}}
    assert run.tags[TAG_RUN_ID] == run.tags["dagster/run_key"] == str(run_id)
    assert run.tags["dagster/sensor_name"] == "pgflow_requests"
    assert run.tags[TAG_FLOW] == "f"
    assert run.step_keys_to_execute is None
    assert run.remote_job_origin is not None
    assert run.remote_job_origin.repository_origin.repository_name == "pgflow"
    assert steps_of(instance, run) == ["a"]
    # The daemon was killed before it submitted the run: it is submitted later, and stays the same.
    assert server.asks_for() == [(STAND_IN, str(run_id))]
    assert [one.run_id for one in instance.get_runs()] == [run.run_id]

    instance.report_run_failed(run)
    assert server.asks_for() == []


def test_a_run_that_was_never_submitted_is_submitted_later_however_often_runs_were_looked_for(
    database_url: str, builder: FlowBuilder, requests: Requests, instance: dg.DagsterInstance
) -> None:
    builder.define_flow(Flow("f").step("a"))
    run_id = requests.start("f", {})
    server = Server(database_url, instance, jobs="tagged")
    assert server.asks_for() == [(STAND_IN, str(run_id))]
    run = created_run(instance, run_id)
    store = server.location.projection_store()

    # The daemon was killed before it submitted the run, and is back.
    project(instance, store)
    assert server.asks_for() == [(STAND_IN, str(run_id))]

    instance.report_run_canceled(run)
    project(instance, store)
    assert server.asks_for() == []
    assert store.tables.run_id_of(UUID(run.run_id)) == run_id


def test_a_run_of_a_newer_version_than_the_location_has_begins_without_a_reload(
    database_url: str, builder: FlowBuilder, requests: Requests, instance: dg.DagsterInstance
) -> None:
    builder.define_flow(Flow("f").step("a"))
    server = Server(database_url, instance)
    builder.define_flow(Flow("f").step("a").step("b", "a", depends_on="a"))
    edited = requests.start("f", {})
    builder.define_flow(Flow("new").step("a"))
    new = requests.start("new", {})

    assert sorted(server.asks_for()) == sorted([(STAND_IN, str(edited)), (STAND_IN, str(new))])
    assert steps_of(instance, created_run(instance, edited)) == ["a", "b"]
    assert created_run(instance, edited).tags[TAG_WATERMARK] == "2"
    assert steps_of(instance, created_run(instance, new)) == ["a"]


def test_the_first_tick_behind_a_reload_asks_for_no_job_that_the_daemon_may_not_know(
    database_url: str, builder: FlowBuilder, requests: Requests, instance: dg.DagsterInstance
) -> None:
    builder.define_flow(Flow("old").step("a"))
    cursor = Server(database_url, instance).tick().cursor
    builder.define_flow(Flow("new").step("a"))
    new = requests.start("new", {})
    server = Server(database_url, instance)

    first = server.tick(cursor)
    assert [request.job_name for request in first.run_requests] == [STAND_IN]
    old = requests.start("old", {})
    second = server.tick(first.cursor)
    assert {(request.job_name, request.run_key) for request in second.run_requests} == {
        (STAND_IN, str(new)),
        ("old", str(old)),
    }


def test_a_request_of_a_broken_flow_ends_and_the_others_go_on(
    database_url: str,
    builder: FlowBuilder,
    requests: Requests,
    instance: dg.DagsterInstance,
    sql: Session,
) -> None:
    builder.define_flow(Flow("broken").step("a"))
    builder.define_flow(Flow("f").step("a"))
    publish(sql, "broken", '{"slug": "broken", "steps": 7}')
    bad, good = requests.start("broken", {}), requests.start("f", {})

    server = Server(database_url, instance, jobs="tagged")

    assert server.asks_for() == [(STAND_IN, str(good))]
    [[status]] = sql("select status from pgflow.runs where run_id = %s", str(bad))
    assert status == "failed"


def test_a_tick_that_nobody_can_submit_runs_for_leaves_the_request_waiting(
    database_url: str, builder: FlowBuilder, requests: Requests, instance: dg.DagsterInstance
) -> None:
    builder.define_flow(Flow("f").step("a"))
    requests.start("f", {})
    sensor = Server(database_url, instance, jobs="tagged").location.sensors()["pgflow_requests"]()

    tick = sensor.evaluate_tick(dg.build_sensor_context(instance=instance))

    assert tick.run_requests == []
    assert len(requests.pending(10)) == 1
    assert instance.get_runs() == []


def test_a_tick_that_has_taken_long_leaves_the_rest_to_the_next_one(
    database_url: str,
    builder: FlowBuilder,
    requests: Requests,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    builder.define_flow(Flow("f").step("a"))
    run_id = requests.start("f", {})
    server = Server(database_url, instance, jobs="tagged")

    with monkeypatch.context() as patched:
        patched.setattr(request_sensor, "MOST_S", -1.0)
        tick = server.tick()
    assert (tick.run_requests, instance.get_runs()) == ([], [])
    assert "begin with the next one" in tick.skip_message
    assert server.asks_for() == [(STAND_IN, str(run_id))]


def test_a_run_worker_loads_a_flow_that_is_no_job_and_nothing_else(
    database_url: str, builder: FlowBuilder, catalog: Catalog
) -> None:
    builder.define_flow(Flow("f").step("a"))
    with pinned_to(catalog.watermark()):
        repository = build_repository(database_url=database_url, jobs="tagged")
        definitions = build_definitions(None, database_url=database_url, jobs="tagged")
    assert repository.get_job("f").tags[TAG_FLOW] == "f"
    assert definitions.resolve_job_def("flow_f").tags[TAG_FLOW] == "f"


CODE = """
from dagster_pgflow import build_repository

def a(given):
    return given

flows = build_repository(jobs="tagged", handlers=[{{"a": a}}], database_url={url!r}{more})
"""
PARALLEL = ", executor=dg.multiprocess_executor"


@pytest.mark.parametrize("more", ["", PARALLEL], ids=["in process", "a process for each step"])
def test_a_process_of_the_run_executes_the_version_that_the_run_was_created_with(
    database_url: str,
    builder: FlowBuilder,
    requests: Requests,
    tmp_path: Path,
    more: str,
) -> None:
    """As launchers for Docker and Kubernetes start it: by the code that the run names."""
    file = tmp_path / "code_of_flows.py"
    code = CODE.format(url=as_role(database_url, "worker"), more=more)
    file.write_text(f"import dagster as dg\n{code}")
    builder.define_flow(Flow("f").step("a"))
    run_id = requests.start("f", {"n": 1})
    pinned = requests.pending(1)[0].version_id
    location = Location({"database_url": database_url, "handlers": [HANDLERS]})
    builder.define_flow(Flow("f").step("z", "nobody"))
    repository: Any = ReconstructableRepository.for_file(str(file), "flows", str(tmp_path))
    with instance_for_test(temp_dir=str(tmp_path)) as instance:
        context = tick_context(instance)
        assert context.repository_def is not None
        of_tick = origins_of(context.code_location_origin, context.repository_def)
        run = create_flow_run(
            instance,
            location.pinned_job("f", pinned).job,
            Origins(of_tick.remote, repository.get_python_origin(), of_tick.load_data),
            watermark=pinned,
            run_id=dagster_run_id(run_id),
            run_config={"inputs": {"flow_input": {"n": 1}}},
            tags={TAG_RUN_ID: str(run_id)},
        )
        worker = subprocess.run(
            [str(Path(sys.executable).with_name("dagster")), "api", "execute_run", _args(run)],
            env={**os.environ, "DAGSTER_HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=300,
        )
        done = instance.get_run_by_id(run.run_id)
        assert done is not None
        assert done.status is dg.DagsterRunStatus.SUCCESS, worker.stderr[-2000:]
        completed = {
            record.event_log_entry.dagster_event.step_key
            for record in instance.get_records_for_run(run.run_id).records
            if record.event_log_entry.dagster_event is not None
            and record.event_log_entry.dagster_event.is_step_success
        }
        assert completed == {"a"}


def _args(run: dg.DagsterRun) -> str:
    assert run.job_code_origin is not None
    return serialize_value(
        ExecuteRunArgs(
            job_origin=run.job_code_origin,
            run_id=run.run_id,
            instance_ref=None,
            set_exit_code_on_failure=True,
        )
    )


def test_a_run_worker_of_a_flow_that_is_not_there_says_so(
    database_url: str, builder: FlowBuilder, tmp_path: Path
) -> None:
    builder.define_flow(Flow("f").step("a"))
    file = tmp_path / "code_of_nobody.py"
    file.write_text(CODE.format(url=database_url, more=""))
    repository: Any = ReconstructableRepository.for_file(str(file), "flows", str(tmp_path))
    for name in ("nobody", "no__body"):
        job = repository.with_repository_load_data(load_data(1)).get_reconstructable_job(name)
        with pytest.raises(dg.DagsterInvariantViolationError, match=f"Could not find job '{name}'"):
            job.get_definition()
