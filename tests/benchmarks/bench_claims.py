"""What it costs to take a request while many wait, and the next is to be found among them."""

import statistics
from dataclasses import dataclass
from typing import Final

from tests.benchmarks.measure import seconds, show
from tests.postgres import Server, Session

WAITING: Final = 100_000
CLAIMS: Final = 50

_FLOWS: Final = """
    insert into pgflow.flows (
      flow_slug, opt_max_concurrent_runs, opt_concurrency_key, opt_max_concurrent_runs_per_key
    )
    select
      'f' || n, %(limit)s,
      case when cast(%(key_limit)s as integer) is not null then 'input.x' end, %(key_limit)s
    from generate_series(0, %(flows)s - 1) as n
"""
_REQUESTS: Final = """
    insert into pgflow.run_requests (
      run_id, flow_slug, version_id, input, tenant, concurrency_key, created_at
    )
    select
      gen_random_uuid(), 'f' || n %% %(flows)s, 1, '{}', 't' || n %% %(flows)s %% %(tenants)s,
      '"k' || n %% %(keys)s || '"', now() - interval '1 s' * n
    from generate_series(1, %(waiting)s) as n
"""
_RUNS: Final = """
    insert into pgflow.runs (run_id, flow_slug, version_id, input, created_at)
    select run_id, flow_slug, version_id, '{}', created_at from pgflow.run_requests
"""


@dataclass(frozen=True)
class _Queue:
    """How the requests that wait are spread."""

    what: str
    flows: int = 1
    tenants: int = 1
    keys: int = 1
    limit: int | None = None
    key_limit: int | None = None


_QUEUES: Final = (
    _Queue("one flow"),
    _Queue("10,000 flows of 1,000 tenants", flows=10_000, tenants=1_000),
    _Queue("10,000 flows, each with a limit", flows=10_000, tenants=10_000, limit=5),
    _Queue("one flow of 10,000 keys, one run each", keys=10_000, key_limit=1),
    _Queue("one flow that is full", keys=10_000, limit=20, key_limit=5),
)


def bench_claims(server: Server) -> None:
    """Prints how long a claim takes, and what a look at fifty requests does."""
    rows = []
    for queue in _QUEUES:
        with server.database() as url:
            sql = Session(url)
            _fill(sql, queue)
            claims = [
                seconds(lambda sql=sql: sql("select * from pgflow.claim_request()"))  # type: ignore[misc]
                for _ in range(CLAIMS)
            ]
            taken = sql.value("select count(*) from pgflow.run_requests where turn is not null")
            fifty = seconds(lambda sql=sql: sql("select * from pgflow.next_requests(false, 50)"))  # type: ignore[misc]
            sql.close()
        median, worst = statistics.median(claims[1:]), max(claims[1:])
        figures = [f"{1_000 * figure:.2f}" for figure in (median, worst, fifty)]
        rows.append([queue.what, str(taken), *figures])
    show(
        f"Taking requests while {WAITING:,} wait, milliseconds",
        ["the requests are of", f"taken by {CLAIMS}", "median", "worst", "a look at 50"],
        rows,
    )


def _fill(sql: Session, queue: _Queue) -> None:
    with sql.connection.cursor() as cursor:
        cursor.execute(_FLOWS, vars(queue))
        cursor.execute(_REQUESTS, {**vars(queue), "waiting": WAITING})
        cursor.execute(_RUNS)
    for table in ("flows", "run_requests", "runs"):
        sql(f"vacuum analyze pgflow.{table}")
