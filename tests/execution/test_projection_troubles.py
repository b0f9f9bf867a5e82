"""One run that makes trouble while it is written holds up no other, whatever the trouble is."""

from typing import Any

import dagster as dg
import pytest

from dagster_pgflow.compat import EngineEventData
from dagster_pgflow.dagster_log.dagster_runs import DagsterRuns
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.names import REPORT_KEY
from dagster_pgflow.projection.sync.projector import rebuild
from dagster_pgflow.store import pieces
from dagster_pgflow.store.database import Transaction
from dagster_pgflow.store.run_status import RunStatusReader
from tests.execution.projecting import World, assert_states_add_up, world

__all__ = ["world"]

LARGE = Flow("large").step("list").map("each", depends_on="list", batch_size=4)
SMALL = Flow("small").step("a")
HANDLERS = {"list": lambda _: list(range(10)), "each": lambda value: value, "a": lambda _: 1}


def make_writing_slow(world: World, flow_slug: str) -> None:
    """Lets each task of a flow take longer to write than a statement may."""
    world.sql(
        "create function public.take_long() returns trigger language plpgsql as"
        " $$ begin perform pg_sleep(10); return new; end $$"
    )
    world.sql(
        "create trigger take_long before insert or update on pgflow.step_tasks"
        f" for each row when (new.flow_slug = '{flow_slug}') execute function public.take_long()"
    )
    name = world.sql.value("select current_database()")
    world.sql(f"alter database {name} set statement_timeout to '500ms'")
    world.database.close()


def test_a_run_whose_statements_take_too_long_is_set_aside(world: World) -> None:
    world.define(LARGE, SMALL)
    large = world.run("large", HANDLERS)
    small = world.run("small", HANDLERS)
    make_writing_slow(world, "large")
    tally = world.project()
    [problem] = tally.problems
    assert str(large) in problem
    assert "statement timeout" in problem
    assert world.one("runs")["dagster_run_id"] == str(small)
    pauses = []
    for failures in (1, 2, 3):
        cursor = world.one("run_cursors", f"dagster_run_id = '{large}'")
        assert cursor["failures"] == failures
        assert "statement timeout" in cursor["error_message"]
        pauses.append(cursor["due_at"] - world.sql.value("select now()"))
        assert world.project().problems == []
        world.sql("update pgflow.run_cursors set due_at = now()")
        world.project()
    assert pauses == sorted(pauses)
    world.sql("drop function public.take_long() cascade")
    world.look_again()
    assert world.one("run_cursors", f"dagster_run_id = '{large}'")["failures"] == 0
    assert world.sql.column("select status from pgflow.runs") == ["completed", "completed"]
    assert_states_add_up(world)


def test_a_run_that_was_asked_for_says_why_it_seems_to_wait(world: World) -> None:
    world.define(LARGE)
    run_id = world.requests.start("large", {})
    world.run("large", HANDLERS, run_id=run_id)
    make_writing_slow(world, "large")
    world.project()
    report = RunStatusReader(world.database).report(run_id)
    assert report.run.status == "queued"
    assert "statement timeout" in (report.unread_because or "")
    world.sql("drop function public.take_long() cascade")
    world.look_again()
    assert RunStatusReader(world.database).report(run_id).unread_because is None


@pytest.mark.parametrize(
    "error",
    [KeyError("x"), RecursionError(), MemoryError(), ValueError("\ud800\x00" * 10_000)],
    ids=["a bug", "depth", "memory", "words that cannot be stored"],
)
def test_any_error_costs_only_its_run(
    world: World, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.define(SMALL)
    bad, good = (world.run("small", HANDLERS) for _ in range(2))
    read = DagsterRuns.read

    def fail(self: DagsterRuns, record: Any, begin_long: Any) -> Any:
        if record.run_id == bad:
            raise error
        return read(self, record, begin_long)

    monkeypatch.setattr(DagsterRuns, "read", fail)
    tally = world.project()
    assert (tally.written, len(tally.problems)) == (1, 1)
    assert world.one("runs")["dagster_run_id"] == str(good)
    cursor = world.one("run_cursors", f"dagster_run_id = '{bad}'")
    assert cursor["error_message"].startswith(type(error).__name__)


def test_no_statement_writes_more_than_a_piece(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the size of the pieces, the rows are the same."""
    child = Flow("child").step("list").map("each", depends_on="list")
    parent = Flow("parent").step("list").subflow("inner", "child", depends_on="list", over="list")
    world.define(child, parent)
    world.run("parent", {**HANDLERS, "list": lambda _: [1, 2, 3, 4, 5]})
    world.project()
    before = world.snapshot()
    written: dict[str, int] = {}
    execute = Transaction.execute

    def watch(self: Transaction, query: str, **parameters: Any) -> int:
        lengths = [len(value) for value in parameters.values() if isinstance(value, list)]
        written[query] = max([written.get(query, 0), *lengths])
        return execute(self, query, **parameters)

    monkeypatch.setattr(pieces, "ROWS_PER_STATEMENT", 3)
    monkeypatch.setattr(Transaction, "execute", watch)
    world.sql("update pgflow.run_cursors set position = null")
    world.sql("delete from pgflow.step_tasks where task_index > 2")
    world.sql("update pgflow.subruns set status = 'failed'")
    world.look_again()
    assert world.snapshot() == before
    wrote = {query: size for query, size in written.items() if not query.startswith("drop_")}
    assert wrote["write_tasks"] == wrote["update_subruns"] == wrote["insert_events"] == 3
    assert max(wrote.values()) == 3


def test_a_run_that_dagster_itself_cannot_read_holds_up_no_other(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.define(SMALL)
    job = world.job("small", HANDLERS)
    typed = {"inputs": {"flow_input": {"__class__": "SensorTick"}}}
    bad = world.instance.create_run_for_job(job, run_config=typed, tags=dict(job.run_tags))
    good = world.run("small", HANDLERS)
    assert world.project().written == 1
    assert world.one("runs")["dagster_run_id"] == str(good)
    assert f"Dagster cannot read its run {bad.run_id}" in caplog.text
    assert rebuild(world.instance, world.store).problems == []
    assert world.one("runs")["dagster_run_id"] == str(good)


@pytest.mark.parametrize(
    ("report", "sentence"),
    [
        ({"status": "retrying", "version": 99}, "its version is 99"),
        ({"status": "of another program"}, "of another program"),
        ({"status": "failed", "version": 1, "worker": 7}, "no text"),
    ],
)
def test_a_run_with_a_report_that_makes_no_sense_is_set_aside_alone(
    report: dict[str, Any], sentence: str, world: World
) -> None:
    world.define(SMALL)
    odd = world.run("small", HANDLERS)
    sound = world.run("small", HANDLERS)
    run = world.instance.get_run_by_id(str(odd))
    assert run is not None
    metadata = {REPORT_KEY: dg.MetadataValue.json(report)}
    data = EngineEventData(metadata=metadata)
    world.instance.report_engine_event("Odd.", run, data, step_key="a")
    [problem] = world.project().problems
    assert str(odd) in problem
    assert sentence in problem
    assert world.one("runs")["dagster_run_id"] == str(sound)


def test_what_is_no_object_under_the_key_of_reports_is_none(world: World) -> None:
    world.define(SMALL)
    odd = world.run("small", HANDLERS)
    run = world.instance.get_run_by_id(str(odd))
    assert run is not None
    for value in (dg.MetadataValue.json([1]), dg.MetadataValue.text("{}"), dg.MetadataValue.int(1)):
        data = EngineEventData(metadata={REPORT_KEY: value})
        world.instance.report_engine_event("Odd.", run, data, step_key="a")
    assert world.project().problems == []
    assert world.one("runs")["status"] == "completed"
