"""A run goes on in a further Dagster run: with its version, its outputs, and what is left to do."""

from collections.abc import Iterator
from dataclasses import replace
from uuid import UUID, uuid4

import dagster as dg
import pytest

from dagster_pgflow import Flow, FlowBuilder
from dagster_pgflow.errors import ResumptionRefused
from dagster_pgflow.launching.compat import SENSOR_NAME_TAG
from dagster_pgflow.names import (
    TAG_CONTINUATION,
    TAG_RUN_ID,
    TAG_RUN_KEY,
    TAG_WATERMARK,
    continuation_id,
    continuation_of,
)
from dagster_pgflow.resumption.continuing import (
    cancel_waiting,
    continue_run,
)
from dagster_pgflow.store.continuations import Continuation
from tests.execution.served_here import SENSOR, Here
from tests.execution.ticks import publish
from tests.postgres import Session


@pytest.fixture
def here(database_url: str) -> Iterator[Here]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Here(database_url, instance)


CHAIN = Flow("f", max_attempts=1).step("a").step("b", depends_on="a").step("c", depends_on="b")


def of(first: dg.DagsterRun, number: int = 1) -> Continuation:
    run_id = UUID(first.run_id)
    before = run_id if number == 1 else continuation_id(run_id, number - 1)
    return Continuation(run_id, number, "resume", "f", before)


def test_what_is_left_of_a_run_is_done_in_a_further_run_of_dagster(
    here: Here, builder: FlowBuilder
) -> None:
    builder.define_flow(CHAIN)
    here.broken = {"b"}
    first = here.first("f", 1, mine="yes")
    here.broken = set()

    run = here.continued(of(first))

    assert run.status is dg.DagsterRunStatus.NOT_STARTED
    assert run.step_keys_to_execute == ["b", "c"]
    assert (run.parent_run_id, run.root_run_id) == (first.run_id, first.run_id)
    assert continuation_of(run.run_id, run.tags) == (UUID(first.run_id), 1)
    assert run.tags["mine"] == "yes"
    assert run.tags["dagster/parent_run_id"] == run.tags["dagster/root_run_id"] == first.run_id
    assert run.tags[SENSOR_NAME_TAG] == SENSOR
    assert run.tags[TAG_RUN_KEY] == f"{first.run_id}:1"
    assert here.execute(run).status is dg.DagsterRunStatus.SUCCESS
    assert here.calls == ["a", "b", "b", "c"]


def test_a_run_goes_on_as_often_as_it_has_to_and_all_of_it_is_one_family(
    here: Here, builder: FlowBuilder
) -> None:
    builder.define_flow(CHAIN)
    here.broken = {"b"}
    first = here.first("f", 1)
    here.broken = {"c"}
    second = here.execute(here.continued(of(first)))
    here.broken = set()

    third = here.continued(of(first, 2))

    assert third.step_keys_to_execute == ["c"]
    assert (third.parent_run_id, third.root_run_id) == (second.run_id, first.run_id)
    assert here.execute(third).status is dg.DagsterRunStatus.SUCCESS
    assert here.calls == ["a", "b", "b", "c", "c"]


def test_who_comes_second_finds_the_run_that_goes_on(here: Here, builder: FlowBuilder) -> None:
    builder.define_flow(CHAIN)
    here.broken = {"b"}
    first = here.first("f", 1)

    runs = [here.continued(of(first)).run_id for _ in range(2)]

    assert runs[0] == runs[1]
    assert len(here.instance.get_runs()) == 2


def test_a_run_goes_on_with_its_version_although_the_flow_was_edited_or_deleted(
    here: Here, builder: FlowBuilder
) -> None:
    builder.define_flow(CHAIN)
    here.broken = {"b"}
    first, second = here.first("f", 1), here.first("f", 1)
    here.broken = set()
    builder.define_flow(Flow("f").step("c"))
    run = here.continued(of(first))
    builder.delete_flow("f")

    assert run.tags[TAG_WATERMARK] == "1"
    assert here.execute(run).status is dg.DagsterRunStatus.SUCCESS
    assert here.execute(here.continued(of(second))).status is dg.DagsterRunStatus.SUCCESS


def test_a_run_of_which_nothing_is_left_is_over_at_once(here: Here, builder: FlowBuilder) -> None:
    builder.define_flow(Flow("f").step("a"))

    run = here.continued(of(here.first("f", 1)))

    assert here.known(run.run_id).status is dg.DagsterRunStatus.SUCCESS
    assert here.continued(of(here.known(run.parent_run_id or ""))).run_id == run.run_id


def test_a_run_is_cancelled_while_it_waits_without_its_flow_and_goes_on_from_there(
    here: Here, builder: FlowBuilder
) -> None:
    builder.define_flow(CHAIN)
    here.broken = {"b"}
    first = here.first("f", 1)
    here.broken = set()
    continuation = replace(of(first), kind="cancel")

    for _ in range(2):
        run = cancel_waiting(here.instance, continuation, first, SENSOR)

    cancelled = here.known(run.run_id)
    assert cancelled.status is dg.DagsterRunStatus.CANCELED
    assert continuation_of(run.run_id, run.tags) == (UUID(first.run_id), 1)
    assert (run.parent_run_id, run.root_run_id) == (first.run_id, first.run_id)
    assert here.continued(of(first, 2)).step_keys_to_execute == ["b", "c"]


def test_the_tags_that_say_how_a_run_was_launched_are_its_own(
    here: Here, builder: FlowBuilder
) -> None:
    builder.define_flow(CHAIN)
    here.broken = {"b"}
    hidden = {".dagster/grpc_info": "{}", ".dagster/run_worker": "1"}
    first = here.first("f", 1, **{**hidden, TAG_RUN_KEY: "mine", TAG_RUN_ID: str(uuid4())})

    run = here.continued(of(first))

    assert hidden.keys().isdisjoint(run.tags)
    assert run.tags[TAG_RUN_KEY] == f"{first.run_id}:1"
    assert run.tags[TAG_RUN_ID] == first.run_id


def test_a_run_cannot_go_on_with_one_that_was_deleted_in_dagster(
    here: Here, builder: FlowBuilder
) -> None:
    builder.define_flow(CHAIN)
    here.broken = {"b"}
    first = here.first("f", 1)
    here.instance.delete_run(first.run_id)

    with pytest.raises(ResumptionRefused, match="was deleted in Dagster"):
        here.continued(of(first))


def test_a_run_of_a_selection_of_ops_does_not_go_on(here: Here, builder: FlowBuilder) -> None:
    builder.define_flow(CHAIN)
    job = here.location.pinned_job("f", 1).job.get_subset(op_selection=["a"])
    run = here.instance.create_run_for_job(job, op_selection=["a"], tags=job.run_tags)

    with pytest.raises(ResumptionRefused, match="a selection of ops"):
        here.continued(of(run))


def test_a_run_does_not_go_on_where_its_flow_cannot_be_a_job(
    here: Here, builder: FlowBuilder, sql: Session
) -> None:
    builder.define_flow(CHAIN)
    here.broken = {"b"}
    first = here.first("f", 1)
    publish(sql, "f", '{"slug": "f", "steps": 7}')
    broken = here.location.pinned_job("f", 2).job

    with pytest.raises(ResumptionRefused, match="This flow cannot run"):
        continue_run(here.instance, of(first), first, broken, origins=here.origins, sensor=SENSOR)


def test_a_copy_of_a_run_that_goes_on_is_a_run_of_its_own(here: Here, builder: FlowBuilder) -> None:
    builder.define_flow(CHAIN)
    here.broken = {"b"}
    run = here.continued(of(here.first("f", 1)))

    copy = here.first("f", 1, **run.tags)

    assert copy.tags[TAG_CONTINUATION] == "1"
    assert continuation_of(copy.run_id, copy.tags) is None
