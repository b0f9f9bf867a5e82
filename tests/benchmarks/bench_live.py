"""How soon a run begins, ends, and has its row: through sensors, and with a live worker.

Two deployments run side by side on one PostgreSQL, each with a `dagster dev`; one has a live worker
beside it. They are asked by turns.
"""

import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

from dagster_pgflow import Flow, FlowBuilder
from dagster_pgflow.store.database import Database
from tests.e2e.dagster_dev import running_dagster_dev
from tests.live.worker import live_worker
from tests.postgres import Server, Session, sqlalchemy_url

ROUNDS: Final = 5
LIVE_ASKS: Final = 5
"""How often the live worker is asked in a round, which the sensors need seconds for."""

BURST: Final = 200
LOOK_S: Final = 0.002
REST_S: Final = 0.3
LOCATION: Final = Path(__file__).parent / "peers_location.py"

TIMES: Final = """
select
  extract(epoch from task.started_at - request.created_at)::float8,
  extract(epoch from run.completed_at - request.created_at)::float8
from pgflow.runs as run
join pgflow.run_requests as request using (run_id)
join pgflow.step_tasks as task using (run_id)
where run_id = %s
"""


@dataclass(frozen=True)
class Times:
    """Seconds from the commit of the request.

    Attributes:
        first: Until the first task began.
        end: Until the run ended.
        row: Until the row of the run said so.
    """

    first: float
    end: float
    row: float


def bench_live(server: Server) -> None:
    """Prints medians of both ways, and how many runs a second a burst comes to."""
    with _deployment(server, live=False) as plain, _deployment(server, live=True) as live:
        for sql in (plain, live):
            _ask(sql)
        sensors: list[Times] = []
        at_once: list[Times] = []
        for _ in range(ROUNDS):
            sensors.append(_ask(plain))
            for _ in range(LIVE_ASKS):
                time.sleep(REST_S)
                at_once.append(_ask(live))
        for name in ("first", "end", "row"):
            slow, fast = ([getattr(one, name) for one in times] for times in (sensors, at_once))
            print(
                f"live, SQL to {name:<6} {median(fast):6.3f} s (longest {max(fast):.3f}),"
                f" sensors {median(slow):6.2f} s: {median(slow) / median(fast):5.0f} times sooner"
            )
        print(f"live, a burst of {BURST}: {_burst(live):.1f} runs/s")


def _ask(sql: Session) -> Times:
    """Asks for a run, and waits for its row."""
    run_id = sql.value("select run_id from pgflow.start_flow('one')")
    asked = time.monotonic()
    while sql.value("select status from pgflow.runs where run_id = %s", run_id) != "completed":
        time.sleep(LOOK_S)
    row = time.monotonic() - asked
    [(first, end)] = sql(TIMES, run_id)
    return Times(first, end, row)


def _burst(sql: Session) -> float:
    """Asks for many runs at once; returns how many a second were done."""
    begun = time.monotonic()
    last = sql.value("select max(id) from pgflow.runs")
    sql("select pgflow.start_flow('one') from generate_series(1, %s)", BURST)
    done = "select count(*) from pgflow.runs where id > %s and status = 'completed'"
    while sql.value(done, last) < BURST:
        time.sleep(0.05)
    return BURST / (time.monotonic() - begun)


@contextmanager
def _deployment(server: Server, *, live: bool) -> Iterator[Session]:
    """Yields a session on the store of a Dagster that runs."""
    with ExitStack() as stack:
        url = stack.enter_context(server.database())
        storage = stack.enter_context(server.database(migrated=False))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pgflow-bench-")))
        database = Database(url)
        FlowBuilder(database).define_flow(Flow("one").step("s0", handler="noted"))
        database.close()
        workspace = folder / "workspace.yaml"
        workspace.write_text(f"load_from:\n  - python_file: {LOCATION}\n")
        environment: dict[str, Any] = {"PGFLOW_DATABASE_URL": url}
        dagster = stack.enter_context(
            running_dagster_dev([workspace], folder / "home", sqlalchemy_url(storage), environment)
        )
        if live:
            environment["DAGSTER_HOME"] = str(dagster.home)
            stack.enter_context(live_worker(folder, environment, location=LOCATION))
        sql = Session(url)
        stack.callback(sql.close)
        yield sql
