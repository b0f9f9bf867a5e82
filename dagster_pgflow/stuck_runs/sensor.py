"""The sensor that settles runs in which nothing happens any more."""

import time
from collections.abc import Iterator
from typing import Final

import dagster as dg

from dagster_pgflow.projection.sync.projector import Projector, pins_of
from dagster_pgflow.projection.sync.store import ProjectionStore
from dagster_pgflow.settings import stuck_thresholds
from dagster_pgflow.stuck_runs.run_workers import LiveRunList
from dagster_pgflow.stuck_runs.stuck_runs import SilentRunList, StuckRuns, summary

INTERVAL_S: Final = 30
BUDGET_S: Final = 25.0
"""For asking; as much again is left for writing what came out, of the 60 seconds of a sensor."""


def build_stuck_runs_sensor(
    name: str, store: ProjectionStore, silent_runs: SilentRunList, live_runs: LiveRunList
) -> dg.SensorDefinition:
    """Return the sensor that asks Dagster about silent runs, and ends those that are dead.

    Args:
        name: The sensor's name.
        store: The store.
        silent_runs: What the run tables know of silent runs.
        live_runs: The runs of live workers.
    """
    pins = pins_of(store)

    def evaluate(context: dg.SensorEvaluationContext) -> Iterator[dg.SkipReason]:
        thresholds = stuck_thresholds()
        if not thresholds.stuck_after:
            yield dg.SkipReason("Nobody asks about silent runs: PGFLOW_STUCK_AFTER is 0.")
            return
        begun = time.monotonic()
        asking = StuckRuns(
            context.instance,
            store.definitions,
            silent_runs,
            live_runs,
            thresholds,
            log=context.log,
        )
        result = asking.settle(begun + BUDGET_S)
        if result.number("over", "dead", "lost"):
            # What was settled is due first; the sensor of the projection need not even be on.
            projector = Projector(context.instance, store, pins, log=context.log)
            projector.look_at_due_runs(begun + 2 * BUDGET_S)
        yield dg.SkipReason(summary(result))

    return dg.SensorDefinition(
        name=name,
        evaluation_fn=evaluate,
        minimum_interval_seconds=INTERVAL_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Ends runs whose process is gone, after asking Dagster about silent runs.",
    )
