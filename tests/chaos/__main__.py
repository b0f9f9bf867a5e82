"""`python -m tests.chaos --seed 1 --duration 120`: kills at random, and what must hold after it.

With `--waits 200` so many runs wait at once, and are answered amid the kills.

Everything runs on this machine, in processes of its own. The seed decides what is asked for and
what is killed, though not how far all else is by then.
"""

import argparse
import os
import random
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import dagster as dg
import psycopg2
import psycopg2.extras

from dagster_pgflow.store.database import Database
from dagster_pgflow.store.flows import FlowBuilder
from dagster_pgflow.store.migrator import migrate
from tests.chaos import verdict, waiting
from tests.chaos.deployment import Deployment, deployment
from tests.chaos.flows import ASKS, CHILD, KINDS
from tests.chaos.kills import Killer
from tests.polling import poll
from tests.postgres import Session

MOST_REQUESTS = 600
MOST_RETRIES = 10
READY_S = 180.0
SETTLE_S = 180.0
"""So long nothing may happen while something is under way."""

LONGEST_SETTLE_S = 1200.0
LONGEST_S = 3600.0


@dataclass(frozen=True)
class Run:
    """What is run.

    Attributes:
        seed: Decides.
        duration: For how many seconds things are killed.
        live: How many live workers there are.
        every: How many seconds lie between two requests.
        waits: How many runs wait to be answered; with it nothing else is asked for.
    """

    seed: int
    duration: float
    live: int
    every: float
    waits: int


def main() -> int:
    """Runs it, and returns whether something was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--duration", type=float, default=120.0, help="seconds of killing")
    parser.add_argument("--live", type=int, default=0, help="how many live workers there are")
    parser.add_argument("--every", type=float, default=8.0, help="seconds between two requests")
    parser.add_argument("--keep", type=Path, help="an empty folder for what it leaves: logs, rows")
    parser.add_argument("--waits", type=int, default=0, help="how many runs wait to be answered")
    given = parser.parse_args()
    made = Run(given.seed, min(given.duration, LONGEST_S), given.live, given.every, given.waits)
    if given.keep is not None:
        given.keep.mkdir(parents=True, exist_ok=True)
        return run(made, given.keep)
    # Not below a folder that is closed to the account of the embedded server.
    with tempfile.TemporaryDirectory(prefix="pgflow-chaos-") as folder:
        return run(made, Path(folder))


def run(made: Run, folder: Path) -> int:
    """Runs one seed."""
    seed, draw = made.seed, random.Random(made.seed)
    folder.chmod(0o711)
    mark = f"{os.getpid()}-{time.time_ns()}"
    with deployment(folder, mark, random.Random(seed + 1), prepare, made.live) as deployed:
        say(f"seed {seed}: waiting for the first run, in {folder}")
        requests: dict[UUID, tuple[str, dict[str, int]]] = {}
        if made.waits:
            return run_waits(made, deployed, draw, requests)
        ask(deployed, draw, requests)
        poll(lambda: all_over(deployed), timeout=READY_S, every=0.5)
        killer = Killer(deployed, draw)
        make_trouble(deployed, draw, killer, requests, duration=made.duration, every=made.every)
        say(f"{sum(killer.killed.values())} kills, {len(requests)} requests; waiting for the end")
        wait_for_the_end(deployed)
        refused = retry_failed(deployed)
        wait_for_the_end(deployed)
        end(deployed)
        return tell(deployed, killer, requests, refused)


def run_waits(
    made: Run, deployed: Deployment, draw: random.Random, requests: waiting.Requests
) -> int:
    """Runs one seed of runs that wait."""
    waiting.ask_for_runs(deployed, draw, requests, made.waits)
    say(f"{made.waits} runs wait; they are answered now, and processes killed")
    killer = Killer(deployed, draw, waiting.WORKERS)
    told = waiting.answer_amid_kills(deployed, draw, killer, requests)
    say(f"{len(told.counted)} answers count, {told.refused} that came second are refused")
    wait_for_the_end(deployed)
    end(deployed)
    with closing(Session(deployed.url)) as sql:
        found = list(waiting.problems(sql, told))
    return tell(deployed, killer, requests, found)


def end(deployed: Deployment) -> None:
    """Ends all but PostgreSQL."""
    deployed.stop_dagster()
    for server in deployed.servers.values():
        server.start()


def wait_for_the_end(deployed: Deployment) -> None:
    """Waits until all runs are over, as long as something goes on."""
    seen: object = None
    changed_at = begun_at = time.monotonic()
    while not all_over(deployed):
        now = seen
        with suppress(psycopg2.Error), closing(Session(deployed.url)) as sql:
            now = sql(verdict.HOW_FAR_ALL_IS)
        if now != seen:
            seen, changed_at = now, time.monotonic()
        if time.monotonic() > min(changed_at + SETTLE_S, begun_at + LONGEST_SETTLE_S):
            say("not everything has come to an end")
            return
        time.sleep(1.0)


def retry_failed(deployed: Deployment) -> list[str]:
    """Goes on with the runs that failed, as a user does; returns what was refused."""
    with closing(Session(deployed.url)) as sql:
        failed = sql.column(verdict.RUNS_TO_RETRY)
    refused = []
    for run_id in failed[:MOST_RETRIES]:
        answer = deployed.command("retry", str(run_id))
        if answer.returncode:
            refused.append(f"Run {run_id} cannot be retried: {answer.stderr.strip()}")
        else:
            with closing(Session(deployed.url)) as sql:
                poll(lambda: sql(verdict.IS_RETRIED, str(run_id)), timeout=READY_S, every=0.5)  # noqa: B023
    say(f"retried {len(failed[:MOST_RETRIES]) - len(refused)} runs")
    return refused


def prepare(url: str) -> None:
    """Makes the schema and the flows."""
    with closing(Database(url)) as database:
        migrate(database)
        FlowBuilder(database).define_flows([CHILD, *(kind.flow for kind in (*KINDS, ASKS))])


def make_trouble(
    deployed: Deployment,
    draw: random.Random,
    killer: Killer,
    requests: dict[UUID, tuple[str, dict[str, int]]],
    *,
    duration: float,
    every: float,
) -> None:
    """Asks for runs and kills, by turns."""
    begun = time.monotonic()
    ask_at = kill_at = begun
    while time.monotonic() < begun + duration:
        now = time.monotonic()
        if now >= ask_at and len(requests) < MOST_REQUESTS:
            ask(deployed, draw, requests)
            ask_at = now + draw.uniform(0.2, 2.0) * every
        if now >= kill_at:
            say(f"{now - begun:6.1f} s  {killer.kill()}")
            kill_at = now + killer.pause()
        time.sleep(0.05)


def ask(
    deployed: Deployment,
    draw: random.Random,
    requests: dict[UUID, tuple[str, dict[str, int]]],
) -> None:
    """Asks for a run through SQL, as a program does that tries again with the same id."""
    kind = draw.choice(KINDS)
    given = {"first": draw.randrange(100), "count": draw.randint(1, 4)}
    run_id = UUID(int=draw.getrandbits(128), version=4)
    while True:
        try:
            with closing(Session(deployed.url)) as sql:
                sql(
                    "select pgflow.start_flow(%s, %s, %s)",
                    kind.flow.slug,
                    psycopg2.extras.Json(given),
                    str(run_id),
                )
        except psycopg2.OperationalError:
            time.sleep(0.2)
        else:
            requests[run_id] = (kind.flow.slug, given)
            return


def all_over(deployed: Deployment) -> bool:
    """Return whether no run is under way any more."""
    try:
        with closing(Session(deployed.url)) as sql:
            return not verdict.under_way(sql)
    except psycopg2.Error:
        return False


def tell(
    deployed: Deployment,
    killer: Killer,
    requests: dict[UUID, tuple[str, dict[str, int]]],
    noticed: list[str],
) -> int:
    """Looks at what is left, prints it, and returns whether something is wrong."""
    os.environ |= {"DAGSTER_HOME": str(deployed.home)}
    with (
        dg.DagsterInstance.get() as instance,
        closing(Session(deployed.url)) as sql,
    ):
        verdict.settle(deployed.url, instance, sql)
        found = noticed + list(verdict.problems(sql, instance, requests, deployed.effects))
        found += verdict.differences_from_a_rebuild(deployed.url, instance, sql)
        ends = Counter(sql.column("select status from pgflow.runs"))
        failures = Counter(sql.column(verdict.WHY_RUNS_FAILED))
        effects = len(deployed.effects.read_text().splitlines())
    say(f"kills: {dict(killer.killed)}")
    say(f"requests: {len(requests)}, runs: {dict(ends)}, effects: {effects}")
    for reason, count in failures.most_common():
        say(f"{count} failed: {reason}")
    for problem in found:
        say(f"FOUND {problem}")
    say(f"{len(found)} problems")
    return bool(found)


def say(text: str) -> None:
    """Prints a line at once."""
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
