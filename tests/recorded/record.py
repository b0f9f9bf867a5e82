"""Makes a record with the code as it is: python -m tests.recorded.record --name 0.1.0

It takes some minutes. `tests.recorded.archive` says what a record is for.
"""

import argparse
import os
import signal
import socket
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from uuid import UUID

import dagster as dg
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy

from dagster_pgflow.names import TAG_PARENT_RUN, child_run_path
from dagster_pgflow.projection.sync.projector import rebuild
from dagster_pgflow.store.database import Database
from tests.execution import elsewhere
from tests.execution.projecting import World, assert_log_adds_up_to_rows, opened_world
from tests.execution.projecting_elsewhere import dagster_in_postgres
from tests.execution.test_against_reference import execute
from tests.execution.test_subflow_trees_against_reference import define_alone
from tests.postgres import Server, Session, as_role, running_server
from tests.recorded.archive import KeptRun, keep
from tests.recorded.disturbed_runs import DISTURBED, GONE, UNENDED, Stage
from tests.recorded.plain_runs import HANDLERS, PLAIN, UNASKED, Plain, trees
from tests.reference.clock import without_waiting
from tests.reference.drawing import Drawn
from tests.reference.eventful import eventful_runs, eventful_trees
from tests.reference.handlers import Notes
from tests.reference.traces import calm

ROOT = Path(__file__).parents[2]
SEED = 8
DRAWN_TREES = 10
DRAWN_FLOWS = 6
HIDDEN = {f"{socket.gethostname()}:": "recorder:", sys.prefix: "/python", str(ROOT): "/recorded"}
"""What stands in a record for the machine and the folder that made it: it is nobody's business."""


class Recorder:
    """Makes runs one after the other, and remembers what each is an example of.

    Args:
        world: The store and the Dagster.
        storage: The database of that Dagster.
        folder: Where handlers in other processes look for their switches.
    """

    def __init__(self, world: World, storage: Session, folder: Path) -> None:
        self._world = world
        self._storage = storage
        self._stage = Stage(world, folder)
        self._names: dict[str, str] = {}

    def record(self, only: str) -> list[KeptRun]:
        """Make runs and their rows, and return what the runs are called.

        Args:
            only: What the names of the runs contain.
        """
        examples: dict[str, Callable[[], object]] = {
            name: partial(run, self._stage) for name, run in DISTURBED.items()
        }
        for name, plain in {**PLAIN, **trees()}.items():
            examples[name] = partial(self._run_plainly, plain)
        for name, drawn in _all_drawn():
            examples[name] = partial(self._run_drawn, drawn)
        for name, run in examples.items():
            if only in name:
                run()
                self._name(name)
        if only in "requested":
            self._request_what_nobody_begins()
        self._hide_where_this_is()
        self._project()
        self._delete_some()
        self._project()
        self._check()
        return self._kept()

    def _run_plainly(self, plain: Plain) -> None:
        flows, given_input = plain
        self._world.builder.define_flows(flows)
        slug = flows[-1].slug
        with without_waiting():
            if given_input is UNASKED:
                self._world.job(slug, HANDLERS).execute_in_process(
                    instance=self._world.instance, raise_on_error=False
                )
            else:
                self._world.run(slug, HANDLERS, given_input)

    def _run_drawn(self, drawn: Drawn) -> None:
        define_alone(self._world, drawn)
        execute(self._world, Notes(seen=calm), drawn.input)

    def _name(self, name: str) -> None:
        """Name the runs that are new; those that go on with the first one are numbered."""
        runs = [run for run in self._world.instance.get_runs()[::-1] if _is_top(run)]
        new = [run.run_id for run in runs if run.run_id not in self._names]
        assert new, name
        for number, run_id in enumerate(new, start=1):
            self._names[run_id] = name if number == 1 else f"{name} ({number})"
        print(f"{name}: {', '.join(str(run.status.value) for run in runs[-len(new) :])}")

    def _request_what_nobody_begins(self) -> None:
        waiting = self._world.requests.start("requested", [1])
        refused = self._world.requests.start("requested", [2])
        self._world.waiting.refuse(refused, "not today")
        self._names |= {str(waiting): "requested and waiting", str(refused): "refused"}

    def _hide_where_this_is(self) -> None:
        for table, column in (("event_logs", "event"), ("runs", "run_body")):
            for found, shown in HIDDEN.items():
                self._storage(
                    f"update {table} set {column} = replace({column}, %s, %s)", found, shown
                )

    def _project(self) -> None:
        """Looks at every run twice, as the sensor does that sees each settle."""
        for _ in range(2):
            self._world.sql("update pgflow.run_cursors set due_at = now()")
            assert self._world.project().problems == []

    def _check(self) -> None:
        """Checks that the rows of each run are sound, and come out the same again."""
        for run_id in self._world.sql.column("select distinct run_id::text from pgflow.event_log"):
            assert_log_adds_up_to_rows(self._world, UUID(run_id))
        before = self._world.snapshot()
        assert rebuild(self._world.instance, self._world.store).problems == []
        assert self._world.snapshot() == before

    def _delete_some(self) -> None:
        instance = self._world.instance
        for run_id, name in self._names.items():
            if name == GONE[1]:
                inside = instance.get_run_ids(dg.RunsFilter(tags={TAG_PARENT_RUN: run_id}))
                instance.delete_run(inside[0])
            elif name in (GONE[0], UNENDED):
                instance.delete_run(run_id)

    def _kept(self) -> list[KeptRun]:
        rows = self._world.sql(
            "select coalesce(dagster_run_id, run_id)::text, run_id::text from pgflow.runs"
            " order by id"
        )
        named = [(self._names[dagster_run_id], run_id) for dagster_run_id, run_id in rows]
        return [
            KeptRun("", name, run_id, is_whole_in_dagster=name not in (*GONE, UNENDED))
            for name, run_id in named
        ]


def _is_top(run: dg.DagsterRun) -> bool:
    return child_run_path(run.run_id, run.tags) is None


def _all_drawn() -> Iterator[tuple[str, Drawn]]:
    for kind, strategy, count in (
        ("a drawn flow", eventful_runs(), DRAWN_FLOWS),
        ("a drawn tree", eventful_trees(), DRAWN_TREES),
    ):
        for number, drawn in enumerate(_drawn(strategy, count), start=1):
            yield f"{kind}: {number}", drawn


def _drawn(strategy: SearchStrategy[Drawn], count: int) -> list[Drawn]:
    """Return what a strategy draws, the same each time."""
    found: list[Drawn] = []

    @seed(SEED)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def note(drawn: Drawn) -> None:
        found.append(drawn)

    note()
    return found[:count]


def _tell_what_is_in(store: Session) -> None:
    for query in (
        "select event_type from pgflow.event_log",
        "select 'run ' || status from pgflow.runs",
        "select concat_ws(' ', step_type, status, skip_reason) from pgflow.step_states",
    ):
        for what, count in sorted(Counter(store.column(query)).items()):
            print(f"{count:6} {what}")


def make(name: str, only: str = "") -> Path:
    """Make a record and return its path."""
    with (
        tempfile.TemporaryDirectory(prefix="pgflow-record-") as folder,
        running_server(Path(folder) / "data") as address,
    ):
        server = Server(address)
        with server.database() as url, server.database(migrated=False) as storage_url:
            os.environ[elsewhere.URL] = as_role(url, "worker")
            os.environ[elsewhere.FOLDER] = os.environ["DAGSTER_HOME"] = folder
            store, storage, database = Session(url), Session(storage_url), Database(url)
            with (
                dagster_in_postgres(storage_url, Path(folder)) as instance,
                opened_world(database, store, instance) as world,
            ):
                runs = Recorder(world, storage, Path(folder)).record(only)
                path = keep(name, store, storage, runs)
                _tell_what_is_in(store)
            for opened in (store, storage, database):
                opened.close()
        server.close()
    return path


if __name__ == "__main__":
    # The processes of runs inherit it, and one of them is ended as Ctrl-C does it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", required=True, help="such as the release that makes it")
    parser.add_argument("--only", default="", help="runs whose names contain this text")
    written = make(**vars(parser.parse_args()))
    print(f"{written}: {written.stat().st_size:,} bytes")
