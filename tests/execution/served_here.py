"""A code location, a Dagster, and who executes runs of the one in the other, in this process."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import dagster as dg

from dagster_pgflow.compat import InMemoryJob
from dagster_pgflow.launching.flow_runs import create_flow_run
from dagster_pgflow.launching.origins import Origins, origins_of
from dagster_pgflow.live.compat import execute_run_iterator
from dagster_pgflow.location.location import Location
from dagster_pgflow.projection.sync.projector import project
from dagster_pgflow.resumption.continuing import continue_run, pinned_to, run_before
from dagster_pgflow.store.continuations import Continuation
from tests.execution.ticks import tick_context
from tests.postgres import as_role

SENSOR = "pgflow_requests"


class Here:
    """A code location, a Dagster, and who executes runs of the one in the other.

    Attributes:
        calls: Which handlers were called, in order.
        broken: The handlers that fail.
    """

    def __init__(self, database_url: str, instance: dg.DagsterInstance) -> None:
        self.instance = instance
        self.calls: list[str] = []
        self.broken: set[str] = set()
        self.handlers = {name: self._handler(name) for name in ("a", "b", "c")}
        self._database_url = database_url
        self.load()

    def _handler(self, name: str) -> Callable[[Any], Any]:
        def handle(given: Any) -> Any:
            self.calls.append(name)
            if name in self.broken:
                raise ValueError(f"{name} is broken")
            return {name: given}

        return handle

    @property
    def origins(self) -> Origins:
        context = tick_context(self.instance)
        assert context.repository_def is not None
        return origins_of(context.code_location_origin, context.repository_def)

    def first(self, slug: str, watermark: int, **tags: str) -> dg.DagsterRun:
        run_id = uuid4()
        run = create_flow_run(
            self.instance,
            self.location.pinned_job(slug, watermark).job,
            self.origins,
            watermark=watermark,
            run_id=run_id,
            run_config={"inputs": {"flow_input": {"n": 1}}},
            tags=tags,
        )
        return self.execute(run)

    def execute(self, run: dg.DagsterRun) -> dg.DagsterRun:
        pinned = pinned_to(self.instance, run)
        job = self.location.pinned_job(pinned.flow_slug, pinned.watermark).job
        list(execute_run_iterator(InMemoryJob(job), run, self.instance))
        return self.known(run.run_id)

    def known(self, run_id: str) -> dg.DagsterRun:
        run = self.instance.get_run_by_id(run_id)
        assert run is not None
        return run

    def continued(self, continuation: Continuation) -> dg.DagsterRun:
        before = run_before(self.instance, continuation)
        pinned = pinned_to(self.instance, before)
        return continue_run(
            self.instance,
            continuation,
            before,
            self.location.pinned_job(pinned.flow_slug, pinned.watermark).job,
            origins=self.origins,
            sensor=SENSOR,
        )

    def again(self, failed: dg.DagsterRun) -> dg.DagsterRun:
        """Create the run with which another one is retried, which is a run of its own."""
        run_id = UUID(failed.run_id)
        return self.continued(Continuation(run_id, 1, "resume", failed.job_name, run_id))

    def load(self) -> None:
        """Load the code location, as a code server does that was started anew."""
        given = {"database_url": as_role(self._database_url, "worker"), "handlers": [self.handlers]}
        self.location = Location(given)  # type: ignore[arg-type]
        self._request_sensor = self.location.sensors()[SENSOR]()
        self._cursor: str | None = None

    def tick(self) -> list[str]:
        """Have the request sensor look once; return the keys of the runs that it asks for."""
        ticked = self._request_sensor.evaluate_tick(tick_context(self.instance, self._cursor))
        self._cursor = ticked.cursor
        return [str(request.run_key) for request in ticked.run_requests or ()]

    def work(self) -> None:
        """Do what daemon and run workers do: execute what was created, and write the rows."""
        self.project()
        for key in self.tick():
            [run] = self.instance.get_runs(dg.RunsFilter(tags={"dagster/run_key": key}))
            if run.status is dg.DagsterRunStatus.NOT_STARTED:
                self.execute(run)
        self.project()

    def project(self) -> None:
        """Write the rows."""
        result = project(self.instance, self.location.projection_store())
        assert result.problems == []
