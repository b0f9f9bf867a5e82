"""Many runs that wait at once are answered, while the processes that go on with them are killed."""

import random
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any, Final
from uuid import UUID

import psycopg2.extras

from tests.chaos.answers import Answered, answer_all
from tests.chaos.deployment import Deployment
from tests.chaos.flows import ASKS
from tests.chaos.kills import Killer
from tests.polling import poll
from tests.postgres import Session

Requests = dict[UUID, tuple[str, dict[str, int]]]
"""The flow and the input of each run, by its id; and the answer that counts."""

WORKERS: Final = {
    "run worker": 4,
    "run worker amid its work": 10,
    "live child": 10,
    "live child amid its work": 20,
    "live template": 6,
    "live worker": 8,
    "code server child": 2,
}
"""What is killed of that which may be at work on a run."""

PATIENCE_S: Final = 1_800.0

WORKERS_THERE: Final = "select count(*) from pgflow.live_workers"
COUNT: Final = "select count(*) from pgflow.runs where status = %s"

NOT_ONCE: Final = """
select wait.run_id, wait.status, wait.answer, count(done.run_id)
from pgflow.waits as wait
left join pgflow.node_executions as done
  on done.run_id = wait.run_id and done.step_path = 'total' and done.status = 'completed'
group by wait.wait_id
having wait.status <> 'answered' or wait.taken_at is null or count(done.run_id) <> 1
"""


def ask_for_runs(
    deployed: Deployment,
    draw: random.Random,
    requests: Requests,
    count: int,
) -> None:
    """Asks for runs, once the live workers are there, and waits until all of them wait."""
    with closing(Session(deployed.url)) as sql:
        # The sensors take what has waited for half a minute, and live workers are to have it.
        count_of_workers = len(deployed.live_workers)
        poll(lambda: sql.value(WORKERS_THERE) >= count_of_workers, timeout=PATIENCE_S, every=0.5)
        for _ in range(count):
            given = {"first": draw.randrange(100), "count": draw.randint(1, 4)}
            run_id = UUID(int=draw.getrandbits(128), version=4)
            start = "select pgflow.start_flow(%s, %s, %s)"
            sql(start, ASKS.flow.slug, psycopg2.extras.Json(given), str(run_id))
            requests[run_id] = (ASKS.flow.slug, given)
        poll(lambda: sql.value(COUNT, "waiting") == count, timeout=PATIENCE_S, every=0.5)


def answer_amid_kills(
    deployed: Deployment,
    draw: random.Random,
    killer: Killer,
    requests: Requests,
) -> Answered:
    """Answers all runs while processes are killed, and waits until they are over."""
    kill_at = time.monotonic()

    def kill_now_and_then() -> None:
        nonlocal kill_at
        time.sleep(draw.uniform(0.0, 0.2))
        if time.monotonic() >= kill_at:
            killer.kill()
            kill_at = time.monotonic() + killer.pause()

    told = answer_all(deployed.url, draw, list(requests), "ask", kill_now_and_then)
    for run_id, answer in told.counted.items():
        slug, given = requests[run_id]
        requests[run_id] = (slug, {**given, "answer": answer})
    with closing(Session(deployed.url)) as sql:
        while sql.value(COUNT, "completed") < len(requests) / 2:
            kill_now_and_then()
    return told


def problems(sql: Session, told: Answered) -> Iterator[str]:
    """Yields a sentence for each run that did not go on exactly once with its answer."""
    yield from told.problems
    rows: list[tuple[Any, ...]] = sql(NOT_ONCE)
    for run_id, status, answer, count in rows:
        yield f"Run {run_id} did {count} times what comes next; its wait is {status}: {answer}."
    for run_id, answer in sql("select run_id, answer from pgflow.waits"):
        if told.counted.get(UUID(str(run_id))) != answer:
            yield f"Run {run_id} has the answer {answer}, which is not the one that was taken."
