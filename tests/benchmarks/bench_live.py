"""How soon a run begins, ends, and has its row: through sensors, and with a live worker.

Two deployments run side by side on one PostgreSQL, each with a `dagster dev`; one has a live worker
beside it. They are asked by turns.
"""

import time
from dataclasses import dataclass
from statistics import median
from typing import Final

from dagster_pgflow import Flow
from tests.benchmarks.deployed import deployed
from tests.postgres import Server, Session

ROUNDS: Final = 5
LIVE_ASKS: Final = 5
"""How often the live worker is asked in a round, which the sensors need seconds for."""

BURST: Final = 200
LOOK_S: Final = 0.002
REST_S: Final = 0.3
ONE: Final = Flow("one").step("s0", handler="noted")

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
    with deployed(server, ONE, live=False) as plain, deployed(server, ONE, live=True) as live:
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
