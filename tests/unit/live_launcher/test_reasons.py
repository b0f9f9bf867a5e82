"""Which runs are for a live worker, decided without asking anybody."""

from typing import Any

import dagster as dg
import pytest

from dagster_pgflow.live_launcher.reasons import is_of_a_flow, reason_against

PINNED = {
    "dagster-pgflow/flow": "order",
    ".dagster/pgflow_store": "a store",
    ".dagster/pgflow_watermark": "7",
}


def run_with(**fields: Any) -> dg.DagsterRun:
    return dg.DagsterRun(**{"job_name": "order", "tags": PINNED, **fields})


def tagged(**more: str) -> dg.DagsterRun:
    tags = {key.replace("__", "/").replace("_", "-"): value for key, value in more.items()}
    return run_with(tags={**PINNED, **tags})


@pytest.mark.parametrize(
    "run",
    [
        run_with(),
        run_with(run_config={"inputs": {"flow_input": {}}, "execution": {}, "loggers": {}}),
        # A retry: only some steps, and what was done before.
        run_with(step_keys_to_execute=["charge"], parent_run_id="p", root_run_id="p"),
        tagged(team="docs", dagster__priority="9", dagster__max_retries="3", dagster__image="i"),
    ],
)
def test_nothing_stands_against_a_run_of_a_whole_flow(run: dg.DagsterRun) -> None:
    assert reason_against(run, PINNED) is None


@pytest.mark.parametrize(
    ("run", "reason"),
    [
        (run_with(op_selection=["a"]), "it executes a selection of ops"),
        (run_with(resolved_op_selection={"a"}), "it executes a selection of ops"),
        (run_with(asset_selection={dg.AssetKey("a")}), "it is for assets"),
        (tagged(dagster__backfill="b"), "it is part of a backfill"),
        (
            run_with(run_config={"execution": {"config": {"multiprocess": {}}}}),
            "its config says how it is to be executed",
        ),
        (tagged(dagster_k8s__config="{}"), "its tag dagster-k8s/config says how"),
        (tagged(ecs__cpu="4096"), "its tag ecs/cpu says how"),
        (tagged(dagster_celery__queue="q"), "its tag dagster-celery/queue says how"),
        (tagged(mine__size="xl"), "its tag mine/size says how"),
    ],
)
def test_what_stands_against_a_run_is_said(run: dg.DagsterRun, reason: str) -> None:
    assert (reason_against(run, PINNED, ["mine/*"]) or "").startswith(reason)


@pytest.mark.parametrize(
    ("pinned", "reason"),
    [
        ({}, "its job is not that of a flow"),
        ({**PINNED, ".dagster/pgflow_watermark": "²"}, "its job is not that of a flow"),
        (
            {**PINNED, ".dagster/pgflow_loop": "refine"},
            "it is one iteration of a loop, and no flow",
        ),
    ],
)
def test_the_job_decides_and_not_what_people_typed(pinned: dict[str, str], reason: str) -> None:
    assert reason_against(run_with(), pinned) == reason


def test_a_run_without_our_tags_is_of_no_flow() -> None:
    assert is_of_a_flow(run_with())
    assert not is_of_a_flow(run_with(tags={"dagster-pgflow/flow": "order"}))
