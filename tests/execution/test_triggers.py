"""When flows start: requests, cron rows, and new definitions."""

import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import dagster as dg
import pytest

from dagster_pgflow import Flow, FlowBuilder, flow_run_request
from dagster_pgflow.location.location import Location
from dagster_pgflow.names import TAG_RUN_ID, TAG_SCHEDULE
from dagster_pgflow.store.catalog import Catalog
from dagster_pgflow.store.requests import Requests
from dagster_pgflow.triggers import catalog_sensor
from dagster_pgflow.triggers.catalog_sensor import Reloader, build_catalog_sensor
from tests.execution.ticks import tick_context
from tests.polling import poll
from tests.postgres import Session, as_role

HANDLERS = {"a": lambda given: given}


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


class Server:
    """A loaded code location, and the daemon that asks its sensors."""

    def __init__(self, database_url: str, instance: dg.DagsterInstance) -> None:
        url = as_role(database_url, "worker")
        self.location = Location({"database_url": url, "handlers": [HANDLERS]})
        self.instance = instance
        self._requests = self.location.sensors()["pgflow_requests"]()

    def tick(self, cursor: str | None = None) -> Any:
        return self._requests.evaluate_tick(tick_context(self.instance, cursor))

    def requested(self) -> list[tuple[str | None, str | None, Any]]:
        return [
            (request.job_name, request.run_key, request.run_config["inputs"]["flow_input"])
            for request in self.tick().run_requests
        ]


def test_each_waiting_request_becomes_one_run_request(
    database_url: str, builder: FlowBuilder, requests: Requests, instance: dg.DagsterInstance
) -> None:
    builder.define_flow(Flow("f").step("a"))
    first, second = requests.start("f", {"n": 1}), requests.start("f", [0, None, "ü"])

    assert Server(database_url, instance).requested() == [
        ("f", str(first), {"n": 1}),
        ("f", str(second), [0, None, "ü"]),
    ]


def test_a_request_whose_launch_was_lost_is_offered_again(
    database_url: str, builder: FlowBuilder, requests: Requests, instance: dg.DagsterInstance
) -> None:
    builder.define_flow(Flow("f").step("a"))
    run_id = requests.start("f", {})
    server = Server(database_url, instance)

    assert server.requested() == server.requested() == [("f", str(run_id), {})]


def test_a_tick_asks_for_no_more_runs_than_the_flow_has_at_once(
    database_url: str,
    builder: FlowBuilder,
    requests: Requests,
    instance: dg.DagsterInstance,
    sql: Session,
) -> None:
    builder.define_flow(Flow("f", max_concurrent_runs=2).step("a"))
    run_ids = [str(requests.start("f", number)) for number in range(5)]
    server = Server(database_url, instance)
    assert [key for _, key, _ in server.requested()] == run_ids[:2]
    # Offered again, and no other with them.
    assert {key for _, key, _ in server.requested()} == set(run_ids[:2])
    sql("update pgflow.runs set status = 'failed' where run_id = %s", run_ids[0])
    assert [key for _, key, _ in server.requested()] == [run_ids[2], run_ids[1]]


def test_the_priority_of_a_request_is_that_of_its_run_in_the_queue(
    database_url: str, builder: FlowBuilder, requests: Requests, instance: dg.DagsterInstance
) -> None:
    builder.define_flow(Flow("f").step("a"))
    builder.define_flow(Flow("g", tags={"tenant": "t"}).step("a"))
    requests.start("f")
    requests.start("f", priority=7)
    requests.start("g", priority=8)
    runs = Server(database_url, instance).tick().run_requests
    found = [(run.job_name, run.tags.get("dagster/priority")) for run in runs]
    assert sorted(found, key=str) == [("f", "7"), ("f", None), ("g", None)]
    assert found.index(("f", "7")) < found.index(("f", None))


def test_a_request_that_has_a_run_in_dagster_is_not_offered_again(
    database_url: str, builder: FlowBuilder, requests: Requests, instance: dg.DagsterInstance
) -> None:
    builder.define_flow(Flow("f").step("a"))
    run_id = requests.start("f", {})
    server = Server(database_url, instance)
    server.location.job("f").execute_in_process(
        instance=instance,
        run_config={"inputs": {"flow_input": {}}},
        tags={TAG_RUN_ID: str(run_id)},
    )

    assert server.requested() == []
    assert "No request waits" in server.tick().skip_message


def test_a_request_for_a_flow_that_was_deleted_ends_as_a_failed_run(
    database_url: str,
    builder: FlowBuilder,
    requests: Requests,
    instance: dg.DagsterInstance,
    sql: Session,
) -> None:
    builder.define_flow(Flow("f").step("a"))
    requests.start("f", {})
    # Past the functions, which would not leave a request behind.
    sql("delete from pgflow.flows where flow_slug = 'f'")

    assert Server(database_url, instance).requested() == []
    [[status, message]] = sql("select status, error_message from pgflow.runs")
    assert (status, message) == ("failed", 'Flow "f" was deleted before this run could start.')


def test_an_input_that_only_the_code_location_can_refuse_ends_as_a_failed_run(
    database_url: str,
    builder: FlowBuilder,
    requests: Requests,
    instance: dg.DagsterInstance,
    sql: Session,
) -> None:
    schema = {"type": "object", "properties": {"id": {"multipleOf": 7}}}
    builder.define_flow(Flow("f", input_schema=schema).step("a"))
    bad, good = requests.start("f", {"id": 8}), requests.start("f", {"id": 14})

    assert Server(database_url, instance).requested() == [("f", str(good), {"id": 14})]
    [[run_id, status, message]] = sql(
        "select run_id, status, error_message from pgflow.runs where status <> 'queued'"
    )
    assert (UUID(run_id), status) == (bad, "failed")
    assert "$.id: 8 is not a multiple of 7" in message


def test_a_cron_row_becomes_a_schedule_with_its_input(
    database_url: str, builder: FlowBuilder, instance: dg.DagsterInstance
) -> None:
    flow = Flow("f").step("a")
    builder.define_flow(
        flow.schedule("nightly", "30 2 * * *", timezone="Europe/Berlin", input={"full": True})
    )

    location = Location({"database_url": database_url})
    [(name, schedule)] = location.schedules().items()
    [request] = schedule.evaluate_tick(dg.build_schedule_context(instance)).run_requests or ()

    assert name == schedule.name == "f__nightly"
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("30 2 * * *", "Europe/Berlin")
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
    assert request.run_config == {"inputs": {"flow_input": {"full": True}}}
    assert request.tags[TAG_SCHEDULE] == "nightly"


def test_a_cron_row_with_an_input_that_does_not_fit_makes_a_run_that_says_so(
    database_url: str, builder: FlowBuilder, instance: dg.DagsterInstance
) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer", "default": 1}}}
    flow = Flow("f", input_schema=schema).step("a")
    builder.define_flow(
        flow.schedule("bad", "30 2 * * *", input={"n": "x"}).schedule("good", "30 2 * * *")
    )
    location = Location({"database_url": database_url, "handlers": [HANDLERS]})
    ends = {}
    for name, schedule in location.schedules().items():
        tick = schedule.evaluate_tick(dg.build_schedule_context(instance))
        [request] = tick.run_requests or ()
        ran = location.job("f").execute_in_process(
            instance=instance, run_config=request.run_config, raise_on_error=False
        )
        ends[name] = ran.success
    assert ends == {"f__bad": False, "f__good": True}


def test_a_cron_row_that_cannot_fire_takes_nothing_else_down(
    database_url: str, builder: FlowBuilder, sql: Session, instance: dg.DagsterInstance
) -> None:
    builder.define_flow(Flow("f").step("a").schedule("good", "0 * * * *"))
    sql(
        "insert into pgflow.schedules (flow_slug, schedule_slug, cron)"
        " values ('f', 'bad', '99 99 * * *')"
    )

    location = Location({"database_url": database_url, "handlers": [HANDLERS]})

    assert list(location.schedules()) == ["f__good"]
    ran = location.job("f").execute_in_process(
        instance=instance, run_config={"inputs": {"flow_input": 0}}
    )
    assert ran.output_for_node("a") == 0


def test_a_run_request_of_ones_own_carries_input_and_run_id() -> None:
    run_id = uuid4()
    request = flow_run_request("a__b", [1], run_id, tags={"team": "x"})

    assert request.job_name == "a__b_"
    assert request.run_key == str(run_id)
    assert request.run_config == {"inputs": {"flow_input": [1]}}
    assert request.tags == {"team": "x", TAG_RUN_ID: str(run_id)}


class CodeServer:
    """Stands for the server at the other end of gRPC; counts what it is asked."""

    def __init__(self) -> None:
        self.reloads = 0
        self.may_answer = threading.Event()

    def create_client(self) -> "CodeServer":
        return self

    def reload_code(self, timeout: int) -> None:
        self.reloads += 1
        self.may_answer.wait(timeout)


class Watch:
    """The catalog sensor of a code location that was loaded just now."""

    def __init__(self, catalog: Catalog, origin: Any, load_time: float = 0.0) -> None:
        self._sensor = build_catalog_sensor(
            "catalog",
            catalog,
            catalog.watermark(),
            Reloader(time.monotonic(), load_time),
        )
        instance = SimpleNamespace(code_server_reload_timeout=30)
        self._context = SimpleNamespace(code_location_origin=origin, instance=instance)

    def says(self) -> str:
        evaluate: Any = self._sensor._raw_fn
        [skip] = evaluate(self._context)
        return str(skip.skip_message)


def test_a_changed_flow_reloads_the_code_location_once(
    builder: FlowBuilder, catalog: Catalog
) -> None:
    server = CodeServer()
    watch = Watch(catalog, server)
    assert watch.says() == "All flows are loaded (version 0)."

    builder.define_flow(Flow("f").step("a"))

    assert watch.says() == watch.says() == "Flows have changed; loading them (version 1)."
    poll(lambda: server.reloads)
    assert server.reloads == 1
    server.may_answer.set()


def test_a_code_location_that_takes_long_to_load_is_not_reloaded_all_the_time(
    builder: FlowBuilder, catalog: Catalog, requests: Requests
) -> None:
    server = CodeServer()
    watch = Watch(catalog, server, load_time=60)
    builder.define_flow(Flow("f").step("a"))
    # Nobody waits for it: a request for what is newer than the location runs without it.
    requests.start("f", {})
    assert "a little later" in watch.says()
    assert server.reloads == 0


def test_a_server_that_answers_but_does_not_reload_is_found_out(
    builder: FlowBuilder,
    catalog: Catalog,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # `dagster api grpc` answers the call and does nothing.
    monkeypatch.setattr(catalog_sensor, "GRACE_S", 0.0)
    server = CodeServer()
    server.may_answer.set()
    watch = Watch(catalog, server)
    builder.define_flow(Flow("f").step("a"))

    assert "loading them" in watch.says()
    poll(lambda: "cannot reload itself" in watch.says())


def test_a_server_without_an_address_is_told_apart(builder: FlowBuilder, catalog: Catalog) -> None:
    watch = Watch(catalog, origin=None)
    builder.define_flow(Flow("f").step("a"))
    assert "cannot reload itself" in watch.says()
