"""The sensor that keeps the run tables true."""

from collections.abc import Iterator
from typing import Final

import dagster as dg

from dagster_pgflow.projection.projector import Tally, pins_of, project
from dagster_pgflow.projection.sources import Sources

INTERVAL_S: Final = 5
BUDGET_S: Final = 40.0
"""Dagster gives a sensor 60 seconds; a look that has begun must have time to end."""


def build_projection_sensor(name: str, sources: Sources) -> dg.SensorDefinition:
    """Return the sensor that writes what happens in Dagster to the run tables.

    How far it has read is kept in Postgres with the rows, not in the sensor's own cursor: the
    two can never differ.

    Args:
        name: The sensor's name.
        sources: The store.
    """
    pins = pins_of(sources)

    def evaluate(context: dg.SensorEvaluationContext) -> Iterator[dg.SkipReason]:
        tally = project(context.instance, sources, pins=pins, budget_s=BUDGET_S, log=context.log)
        yield dg.SkipReason(_summary(tally))

    return dg.SensorDefinition(
        name=name,
        evaluation_fn=evaluate,
        minimum_interval_seconds=INTERVAL_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Writes what happens in runs to pgflow.runs and the other run tables.",
    )


def _summary(tally: Tally) -> str:
    runs = "1 run" if tally.written == 1 else f"{tally.written} runs"
    parts = [f"Wrote {runs}, {tally.idle} had nothing new."]
    if not tally.is_complete:
        parts.append("Time ran out; the next tick goes on.")
    return " ".join([*parts, *tally.problems[:3]])
