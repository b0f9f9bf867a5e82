"""The sensor that keeps the run tables true."""

from collections.abc import Callable, Iterator
from typing import Final

import dagster as dg

from dagster_pgflow.projection.sync.projector import ProjectionResult, pins_of, project
from dagster_pgflow.projection.sync.store import ProjectionStore

INTERVAL_S: Final = 5
BUDGET_S: Final = 40.0
"""Dagster gives a sensor 60 seconds; a look that has begun must have time to end."""

WEBHOOKS_S: Final = 5.0


def build_projection_sensor(
    name: str, store: ProjectionStore, tell_webhooks: Callable[[float], int]
) -> dg.SensorDefinition:
    """Return the sensor that writes what happens in Dagster to the run tables.

    How far it has read is kept in Postgres with the rows, not in the sensor's own cursor: the
    two can never differ.

    Args:
        name: The sensor's name.
        store: The store.
        tell_webhooks: Tells web services how runs ended, for so many seconds; returns how many.
    """
    pins = pins_of(store)

    def evaluate(context: dg.SensorEvaluationContext) -> Iterator[dg.SkipReason]:
        result = project(context.instance, store, pins=pins, budget_s=BUDGET_S, log=context.log)
        told = tell_webhooks(WEBHOOKS_S)
        yield dg.SkipReason(_summary(result, told))

    return dg.SensorDefinition(
        name=name,
        evaluation_fn=evaluate,
        minimum_interval_seconds=INTERVAL_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Writes what happens in runs to pgflow.runs and the other run tables.",
    )


def _summary(result: ProjectionResult, told: int) -> str:
    runs = "1 run" if result.written == 1 else f"{result.written} runs"
    parts = [f"Wrote {runs}, {result.idle} had nothing new."]
    if not result.is_complete:
        parts.append("Time ran out; the next tick goes on.")
    if told:
        parts.append(f"Sent {told} to webhooks.")
    return " ".join([*parts, *result.problems[:3]])
