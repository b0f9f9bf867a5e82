"""How soon runs begin and end, side by side with DBOS on the same PostgreSQL.

DBOS comes with `pip install '.[peers]'`. Its workflows are functions, and what happened is rows of
its own; ours are stored flows that run as runs of Dagster. Both keep every step in PostgreSQL.

For a quick look, the variables PEERS_ROUNDS and PEERS_BURST make it smaller.
"""

import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import dagster as dg

from dagster_pgflow import Flow, FlowBuilder, build_repository
from dagster_pgflow.store.database import Database
from tests.benchmarks.noted import HANDLERS
from tests.live.worker import live_worker
from tests.postgres import Server, Session, sqlalchemy_url

STEPS = 100
ROUNDS = int(os.environ.get("PEERS_ROUNDS", "7"))
BURST = int(os.environ.get("PEERS_BURST", "1000"))
LOOK_S = 0.005
HERE = Path(__file__).parent
NOT_HERE = "DBOS is not installed, so nothing is compared with it: pip install '.[peers]'"


@dataclass(frozen=True)
class Times:
    """Seconds from the moment when somebody asked.

    Attributes:
        first: Until the first step began.
        all: Until the result, or the last of them, could be read.
    """

    first: float
    all: float


class Dbos:
    """A process of DBOS."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def ask(self, *words: str) -> Times:
        """Has it do something."""
        assert self._process.stdin is not None
        self._process.stdin.write(" ".join(words) + "\n")
        self._process.stdin.flush()
        return Times(**self.answer())

    def answer(self) -> Any:
        """Reads what it says."""
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())


class Live:
    """A store that a live worker serves, as SQL sees it."""

    def __init__(self, url: str) -> None:
        self._sql = Session(url)

    def run(self, flow: str) -> Times:
        """Runs a flow, to the row that says how it ended."""
        asked = time.time()
        run_id = self._sql.value(f"select run_id from pgflow.start_flow('{flow}')")
        ended = "select 1 from pgflow.runs where run_id = %s and status = 'completed'"
        while not self._sql(ended, run_id):
            time.sleep(LOOK_S)
        return self._times(asked, "run_id = %s", run_id)

    def burst(self, count: int) -> Times:
        """Runs the flow of one step many times."""
        asked = time.time()
        last = self._sql.value("select coalesce(max(id), 0) from pgflow.runs")
        self._sql(f"select pgflow.start_flow('one') from generate_series(1, {count})")
        ended = "select count(*) from pgflow.runs where id > %s and status = 'completed'"
        while self._sql.value(ended, last) < count:
            time.sleep(10 * LOOK_S)
        return self._times(asked, "run_id in (select run_id from pgflow.runs where id > %s)", last)

    def _times(self, asked: float, which: str, parameter: Any) -> Times:
        ended = time.time()
        began = f"select min(output::text::float8) from pgflow.step_tasks where {which}"
        return Times(self._sql.value(began, parameter) - asked, ended - asked)

    def close(self) -> None:
        """Ends the session."""
        self._sql.close()


class InProcess:
    """A process that has loaded the flows, and executes a run when it wants one."""

    def __init__(self, url: str, instance: dg.DagsterInstance) -> None:
        self._flows = build_repository(database_url=url, handlers=[HANDLERS])
        self._instance = instance

    def run(self, flow: str) -> Times:
        """Runs a flow."""
        asked = time.time()
        ran = self._flows.get_job(flow).execute_in_process(instance=self._instance)
        return Times(ran.output_for_node("s0") - asked, time.time() - asked)


def bench_peers(server: Server, instance: dg.DagsterInstance) -> None:
    """Prints a table in Markdown: starts, a chain of 100 steps, a burst of 1,000 runs."""
    if importlib.util.find_spec("dbos") is None:
        print(NOT_HERE)
        return
    with (
        server.database(migrated=False) as theirs,
        server.database(migrated=False) as storage,
        server.database() as url,
    ):
        _define(url)
        in_process = InProcess(url, instance)
        with _dbos(theirs) as dbos, _live(url, storage) as live:
            _compare(_ways(dbos, live, in_process), live, dbos)


Ways = Mapping[str, Callable[[str], Times]]


def _ways(dbos: Dbos, live: Live, in_process: InProcess) -> Ways:
    return {
        "DBOS, called in process": lambda what: dbos.ask("direct", what),
        "DBOS, queue": lambda what: dbos.ask("queued", what, "as_it_comes"),
        "DBOS, queue that polls every 50 ms": lambda what: dbos.ask("queued", what, "quick"),
        "dagster_pgflow, SQL and a live worker": live.run,
        "dagster_pgflow, called in process": in_process.run,
    }


BURSTS: Final = ("DBOS, queue", "DBOS, queue that polls every 50 ms")


def _compare(ways: Ways, live: Live, dbos: Dbos) -> None:
    found = {(way, what): _first(ways[way], what) for way in ways for what in ("one", "chain")}
    for _ in range(ROUNDS):
        for (way, what), times in found.items():
            times.append(ways[way](what))
    bursts = {
        BURSTS[0]: dbos.ask("burst", str(BURST), "as_it_comes"),
        BURSTS[1]: dbos.ask("burst", str(BURST), "quick"),
        "dagster_pgflow, SQL and a live worker": live.burst(BURST),
    }
    head = ("", "to the first step", "to the result", f"{STEPS} steps", f"{BURST:,} runs at once")
    rows = [
        (
            way,
            f"{_median([times.first for times in found[way, 'one']]) * 1000:.0f} ms",
            f"{_median([times.all for times in found[way, 'one']]) * 1000:.0f} ms",
            f"{_median([times.all for times in found[way, 'chain']]):.2f} s",
            f"{bursts[way].all:.1f} s" if way in bursts else "-",
        )
        for way in ways
    ]
    _print_markdown(head, rows)


def _first(way: Callable[[str], Times], what: str) -> list[Times]:
    """Returns a list for the times of a way, which is used once before it counts."""
    way(what)
    return []


def _median(values: Sequence[float]) -> float:
    return statistics.median(values)


def _print_markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    for cells in (head, ("---",) * len(head), *rows):
        print("| " + " | ".join(cells) + " |")


def _define(url: str) -> None:
    chain = Flow("chain").step("s0", handler="noted")
    for number in range(1, STEPS):
        chain = chain.step(f"s{number}", handler="noted", depends_on=f"s{number - 1}")
    database = Database(url)
    FlowBuilder(database).define_flows([Flow("one").step("s0", handler="noted"), chain])
    database.close()


@contextmanager
def _dbos(dsn: str) -> Iterator[Dbos]:
    words = [
        sys.executable,
        str(HERE / "dbos_peer.py"),
        sqlalchemy_url(dsn).replace("psycopg2", "psycopg"),
    ]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        dbos = Dbos(process)
        assert dbos.answer() == "ready"
        yield dbos


@contextmanager
def _live(url: str, storage: str) -> Iterator[Live]:
    with tempfile.TemporaryDirectory(prefix="pgflow-bench-") as home:
        (Path(home) / "dagster.yaml").write_text(
            f"storage:\n  postgres:\n    postgres_url: {sqlalchemy_url(storage)}\n"
            "telemetry:\n  enabled: false\n"
        )
        environment = {"DAGSTER_HOME": home, "PGFLOW_DATABASE_URL": url}
        with live_worker(Path(home), environment, location=HERE / "peers_location.py"):
            live = Live(url)
            yield live
            live.close()
