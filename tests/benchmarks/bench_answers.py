"""How soon a run goes on that is answered, beside how soon the same run began that was asked for.

Two deployments run side by side on one PostgreSQL, one with sensors alone, one with a live worker.
They are asked by turns.
"""

import time
from dataclasses import dataclass
from statistics import median
from typing import Final

from dagster_pgflow import Flow
from tests.benchmarks.deployed import deployed
from tests.benchmarks.measure import show
from tests.postgres import Server, Session

ROUNDS: Final = 5
LIVE_RUNS: Final = 5
"""How many runs the live worker has in a round, which the sensors need seconds for."""

LOOK_S: Final = 0.05
REST_S: Final = 0.3

ASKS: Final = (
    Flow("asks")
    .step("s0", handler="noted")
    .approval("ask", prompt="May it?", depends_on="s0")
    .step("s1", handler="noted", depends_on="ask")
)

TIMES: Final = """
select
  first.output::text::float8 - extract(epoch from request.created_at)::float8,
  next.output::text::float8 - extract(epoch from wait.closed_at)::float8
from pgflow.run_requests as request
join pgflow.waits as wait using (run_id)
join pgflow.step_states as first on first.run_id = request.run_id and first.step_slug = 's0'
join pgflow.step_states as next on next.run_id = request.run_id and next.step_slug = 's1'
where request.run_id = %s
"""


@dataclass(frozen=True)
class Times:
    """Seconds, by the clocks of PostgreSQL and of the handlers, on one machine.

    Attributes:
        begun: From the request to the first handler.
        gone_on: From the answer to the handler behind it.
    """

    begun: float
    gone_on: float


def bench_answers(server: Server) -> None:
    """Prints medians of both ways."""
    with deployed(server, ASKS, live=False) as plain, deployed(server, ASKS, live=True) as live:
        for sql in (plain, live):
            _run(sql)
        sensors: list[Times] = []
        at_once: list[Times] = []
        for _ in range(ROUNDS):
            sensors.append(_run(plain))
            for _ in range(LIVE_RUNS):
                time.sleep(REST_S)
                at_once.append(_run(live))
    rows = [
        (way, _shown([one.begun for one in times]), _shown([one.gone_on for one in times]))
        for way, times in (("live worker", at_once), ("sensors", sensors))
    ]
    columns = ("", "request to first handler", "answer to next handler")
    show("Runs that are answered: median seconds (longest)", columns, rows)


def _run(sql: Session) -> Times:
    """Asks for a run, answers it, and waits for its end."""
    run_id = sql.value("select run_id from pgflow.start_flow('asks')")
    _wait_until(sql, run_id, "waiting")
    sql("select pgflow.answer(%s, 'ask', 'true', 'ann')", run_id)
    _wait_until(sql, run_id, "completed")
    [times] = sql(TIMES, run_id)
    return Times(*times)


def _wait_until(sql: Session, run_id: str, status: str) -> None:
    while sql.value("select status from pgflow.runs where run_id = %s", run_id) != status:
        time.sleep(LOOK_S)


def _shown(times: list[float]) -> str:
    return f"{median(times):.3f} ({max(times):.3f})"
