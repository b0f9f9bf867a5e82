"""Which requests the sensor leaves to live workers, and for how long."""

from uuid import UUID, uuid4

import pytest

from dagster_pgflow import Flow, FlowBuilder
from dagster_pgflow.store.claims import Claims
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.live_runs import LiveRuns, LiveWorker
from dagster_pgflow.store.requests import Requests
from tests.postgres import Session


@pytest.fixture
def run_id(builder: FlowBuilder, database: Database) -> UUID:
    builder.define_flow(Flow("some").step("one"))
    return Requests(database).start("some")


def pending(database: Database) -> list[UUID]:
    return [request.run_id for request in Requests(database).pending(10)]


def enter(database: Database) -> UUID:
    worker = LiveWorker(uuid4(), "somewhere", "here", 1, 1, "1")
    LiveRuns(database).enter(worker)
    return worker.worker_id


def test_without_a_live_worker_the_sensor_has_every_request(
    database: Database, run_id: UUID
) -> None:
    assert pending(database) == [run_id]


def test_a_fresh_request_is_left_to_the_live_worker_that_is_there(
    database: Database, run_id: UUID
) -> None:
    worker_id = enter(database)
    assert pending(database) == []
    LiveRuns(database).leave(worker_id)
    assert pending(database) == [run_id]


def test_a_live_worker_that_says_nothing_any_more_keeps_no_request(
    database: Database, run_id: UUID, sql: Session
) -> None:
    enter(database)
    sql("update pgflow.live_workers set seen_at = seen_at - interval '1 minute'")
    assert pending(database) == [run_id]


def test_what_no_live_worker_has_come_to_for_long_the_sensor_starts(
    database: Database, run_id: UUID, sql: Session
) -> None:
    enter(database)
    sql("update pgflow.run_requests set created_at = created_at - interval '1 minute'")
    assert pending(database) == [run_id]


def test_what_only_the_queue_may_start_is_the_sensors_at_once(
    database: Database, run_id: UUID
) -> None:
    enter(database)
    claims = Claims(database)
    database.run(lambda transaction: claims.leave_to_queue(transaction, run_id))
    assert pending(database) == [run_id]
    assert database.run(claims.next) is None
