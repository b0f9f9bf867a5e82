"""What runs tell of assets whose process is lost, or that wait: each materialization once."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from unittest.mock import patch

import dagster as dg
import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.runtime.context import StepContext
from tests.execution.interrupted import Killed, top_run_of
from tests.execution.waiting_runs import WaitingRun

FLOW = (
    Flow("f", base_delay=0)
    .step("load", "load", produces="loaded", consumes="raw")
    .map("each", "shaky", depends_on="load", batch_size=2, produces="each/${$item}")
    .step("last", "load", depends_on="each", produces="last")
)
ALL = ["loaded", "each/1", "each/2", "each/3", "said/1", "said/2", "said/3"]


def load(_value: Any) -> list[int]:
    return [1, 2, 3]


def shaky(value: int, ctx: StepContext) -> int:
    """Says more of each element; the twos fail at first."""
    ctx.materialize(f"said/{value}")
    if value == 2 and ctx.attempt == 1:
        raise ValueError("too early")
    return value


def told_by(event: dg.DagsterEvent | None) -> str | None:
    """Returns what an event says was materialized, if anything."""
    if event is None or not event.is_step_materialization:
        return None
    return event.step_materialization_data.materialization.asset_key.to_user_string()


def told_in(instance: dg.DagsterInstance) -> Counter[str]:
    """Returns how often each asset was materialized, in all runs together."""
    records = [record for run in instance.get_runs() for record in instance.all_logs(run.run_id)]
    keys = [told_by(record.dagster_event) for record in records]
    return Counter(key for key in keys if key is not None)


@contextmanager
def dies_behind(instance: dg.DagsterInstance, key: str) -> Iterator[None]:
    """Has the process write nothing any more behind a materialization."""
    storage = instance.event_log_storage
    died: list[str] = []
    store_event = storage.store_event

    def store(entry: dg.EventLogEntry) -> Any:
        if died:
            raise Killed
        store_event(entry)
        if told_by(entry.dagster_event) == key:
            died.append(key)

    with patch.object(storage, "store_event", store), suppress(Killed):
        yield
    assert died


@pytest.mark.parametrize("key", ["loaded", "each/1", "said/2"])
def test_what_was_told_when_the_process_was_lost_is_not_told_again(key: str) -> None:
    run = WaitingRun(FLOW, handlers={"load": load, "shaky": shaky})
    with dies_behind(run.instance, key):
        run.start()
    lost = top_run_of(run.instance)
    run.instance.report_run_failed(lost, "The process of the run is dead.")
    over = run.instance.get_run_by_id(lost.run_id)
    assert over is not None
    run.runs.append(over)
    assert run.go_on() is dg.DagsterRunStatus.SUCCESS
    assert told_in(run.instance) == Counter([*ALL, "last"])


def test_a_run_that_waits_tells_of_what_it_did_before_and_after_once() -> None:
    flow = (
        Flow("f")
        .step("before", "echo", produces="before", consumes="raw")
        .approval("ask", prompt="Well?", depends_on="before")
        .step("list", "give", depends_on="ask", params={"value": ["a", "b"]}, produces="list")
        .map("each", "echo", depends_on="list", produces="each/${$item}")
        .step("beside", "echo", produces="beside")
    )
    run = WaitingRun(flow)
    run.start({})
    assert told_in(run.instance) == Counter(["before", "beside"])
    run.answer_and_go_on(ask=True)
    assert told_in(run.instance) == Counter(["before", "beside", "list", "each/a", "each/b"])
