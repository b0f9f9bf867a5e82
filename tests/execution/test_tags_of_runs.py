"""Tags of runs: people see few of them, and those of older code are read as well."""

import logging
from uuid import uuid4

import dagster as dg

from dagster_pgflow.dagster_log.changed_runs import changed_runs
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.names import (
    TAG_CHILD_RUN,
    TAG_CONTINUATION,
    TAG_FLOW,
    TAG_PARENT_STEP,
    TAG_RUN_ID,
    TAG_STORE,
    TAG_VERSION,
    child_run_path,
    continuation_id,
    continuation_of,
    older_key,
)
from tests.execution.projecting import World, world

__all__ = ["world"]

LOG = logging.getLogger("test")


@dg.job
def empty() -> None:
    """Do nothing."""


def test_the_list_of_runs_shows_the_flow_the_version_and_the_id_that_was_asked_for(
    world: World,
) -> None:
    world.define(Flow("f").step("a"))
    asked = uuid4()
    dagster_run_id = world.run("f", {"a": lambda _: 1}, run_id=asked)
    run = world.instance.get_run_by_id(str(dagster_run_id))
    assert run is not None
    seen = {key: value for key, value in run.tags.items() if not key.startswith(".dagster/")}
    assert seen == {TAG_FLOW: "f", TAG_VERSION: "1", TAG_RUN_ID: str(asked)}


def test_runs_of_older_code_are_found_among_the_others() -> None:
    instance, store = dg.DagsterInstance.ephemeral(), uuid4()
    keys = (TAG_STORE, older_key(TAG_STORE))
    made = [
        instance.create_run_for_job(empty, tags={keys[number % 3 > 0]: str(store)}).run_id
        for number in range(9)
    ]
    few = changed_runs(instance, store, None, 2, LOG)
    assert not few.is_last
    assert few.newest is not None
    every = changed_runs(instance, store, None, 7, LOG)
    assert every.is_last
    assert {str(run.dagster_run_id) for run in every.found} == set(made)
    moments = [run.changed_at for run in every.found]
    assert moments == sorted(moments)
    assert changed_runs(instance, uuid4(), None, 2, LOG).found == []


def test_what_older_code_said_of_a_run_is_still_known() -> None:
    run_id = uuid4()
    inside = {older_key(TAG_CHILD_RUN): "r", older_key(TAG_PARENT_STEP): "pay[1]"}
    assert child_run_path("r", inside) == "pay[1]"
    further = {older_key(TAG_CONTINUATION): "2", TAG_RUN_ID: str(run_id)}
    assert continuation_of(str(continuation_id(run_id, 2)), further) == (run_id, 2)
    # What goes on with such a run has the tags of both.
    further |= {TAG_CONTINUATION: "3"}
    assert continuation_of(str(continuation_id(run_id, 3)), further) == (run_id, 3)
