"""A code location whose triggers look at events of real runs and assets, for tests."""

from collections.abc import Callable
from typing import Any

import dagster as dg
import pytest

from dagster_pgflow.location.location import Location
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.runtime.context import StepContext
from dagster_pgflow.store.triggers import Triggers
from tests.execution.projecting import World
from tests.execution.ticks import tick_context
from tests.postgres import Session, as_role


def fails(_value: Any) -> None:
    raise RuntimeError("no \x00 luck")


def counts_on(value: Any, ctx: StepContext) -> int:
    following = (value.get("payload") or value)["n"] + 1
    ctx.resources.pgflow.signal("next", {"n": following}, broadcast=True)
    return int(following)


HANDLERS: dict[str, Callable[..., Any]] = {
    "same": lambda value: value,
    "fails": fails,
    "counts_on": counts_on,
    "large": lambda _: {"text": "x" * 10_000_000, "n": 2},
}


class Deployment:
    """A code location and its sensors, with the rights of a worker."""

    def __init__(self, world: World, database_url: str) -> None:
        url = as_role(database_url, "worker")
        settings: Any = {"database_url": url, "handlers": [HANDLERS]}
        self.world = world
        self.tags: list[Any] = []
        self._cursors: dict[str, str | None] = {}
        self._sensors = Location(settings).sensors()

    def tick(self, sensor: str) -> Any:
        """Has a sensor tick, with the cursor that its last tick has left."""
        made = self._sensors[f"pgflow_{sensor}"]()
        ticked = made.evaluate_tick(tick_context(self.world.instance, self._cursors.get(sensor)))
        self._cursors[sensor] = ticked.cursor
        return ticked

    def move_to(self, instance: dg.DagsterInstance) -> None:
        """Goes on with another Dagster, which knows nothing of what this one did."""
        self.world.instance = instance
        self._cursors.clear()

    def settle(self) -> None:
        """Runs whatever waits, until nothing does any more."""
        while True:
            self.world.settle()
            asked = self.tick("requests").run_requests or []
            if not asked:
                return
            for one in asked:
                self.tags.append(one.tags)
                slug = one.tags.get("dagster-pgflow/flow") or one.job_name
                given = self.world.waiting.requested_input(one.run_key)
                self.world.run(slug, HANDLERS, given, run_id=one.run_key)


@pytest.fixture
def deployed(world: World, database_url: str) -> Callable[..., Deployment]:
    """Stores flows, and loads a code location with them."""

    def deploy(*flows: Flow) -> Deployment:
        world.define(*flows)
        return Deployment(world, database_url)

    return deploy


@pytest.fixture
def triggers(database: Any) -> Triggers:
    return Triggers(database)


def runs(sql: Session) -> list[tuple[Any, ...]]:
    return sql("select flow_slug, status, input from pgflow.runs order by id")
