"""Limits and waits, with live workers that execute what they take."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from dagster_pgflow import Flow, FlowBuilder, RunFailed
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.requests import Requests
from tests.live.worker import Worker, live_worker
from tests.polling import poll
from tests.postgres import Session


def test_a_flow_with_a_limit_runs_one_at_a_time_on_two_workers_and_holds_nobody_up(
    environment: Mapping[str, str],
    builder: FlowBuilder,
    database: Database,
    sql: Session,
    tmp_path: Path,
) -> None:
    builder.define_flows(
        [
            Flow("alone", max_concurrent_runs=1).step("held", handler="hold"),
            Flow("free").step("double", handler="double"),
        ]
    )
    requests = Requests(database)
    begun = [tmp_path / f"begun_{number}" for number in range(3)]
    until = [tmp_path / f"until_{number}" for number in range(3)]
    for one, other in zip(begun, until, strict=True):
        requests.start("alone", {"begun": str(one), "until": str(other)})
    with (
        live_worker(tmp_path, environment, "--concurrency", "2"),
        live_worker(tmp_path, environment, "--concurrency", "2"),
    ):
        for number in range(3):
            poll(begun[number].exists)
            # It would have been taken behind the two that wait, if these held it up.
            assert requests.run("free", {"n": number}) == {"double": {"twice": 2 * number}}
            assert [path.exists() for path in begun] == [place <= number for place in range(3)]
            until[number].touch()
        poll(lambda: sql.value("select bool_and(status = 'completed') from pgflow.runs"))


def test_who_waits_has_the_output_or_the_error_of_the_handler(
    worker: Worker, builder: FlowBuilder, database: Database
) -> None:
    builder.define_flow(Flow("twice").step("double", handler="double", max_attempts=1))
    requests = Requests(database)
    with pytest.raises(RunFailed, match="raised KeyError: 'n'") as caught:
        requests.run("twice", None)
    assert caught.value.reason in str(caught.value).splitlines()[0]

    async def several() -> Any:
        return await asyncio.gather(*(requests.run_async("twice", {"n": n}) for n in range(4)))

    assert asyncio.run(several()) == [{"double": {"twice": 2 * n}} for n in range(4)]
