"""Values on their way through Postgres: real tables, real processes."""

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import dagster as dg
import pytest

from dagster_pgflow.errors import StoreError
from dagster_pgflow.io_manager import DEFAULT_SPILL_BYTES, PgflowIOManager, in_each_run
from dagster_pgflow.location.location import Location
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.names import FLOW_INPUT, IO_MANAGER_KEY, PGFLOW_KEY
from dagster_pgflow.resources import StoreOfSteps
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.flows import FlowBuilder
from dagster_pgflow.store.outputs import OutputStore
from tests.execution import worker_processes
from tests.execution.harness import Handlers, gives, result_of, run
from tests.postgres import Session

AWKWARD: list[Any] = [
    None, 0, False, "", [], {}, -0.0, 1e308, 2**60, 0.1, "é\u2028😀\x7f\\\"'", {"": [{"a": None}]},
    {"b": 1, "a": 2}, "\u0001",
]  # fmt: skip


def run_in(
    database: Database,
    flow: Flow,
    input: Any = None,
    handlers: Handlers | None = None,
    **spill: Any,
) -> Any:
    """Runs a flow with the resource and the IO manager that code locations have."""
    resources = {
        PGFLOW_KEY: StoreOfSteps(database),
        IO_MANAGER_KEY: in_each_run(PgflowIOManager(OutputStore(database), **spill)),
    }
    return run(flow, input, handlers=handlers, resources=resources)


def stored(sql: Session) -> dict[tuple[str, str, str], Any]:
    rows = sql("select step_key, output_name, mapping_key, value from pgflow.step_outputs")
    return {(step, name, mapping): value for step, name, mapping, value in rows}


def test_every_value_comes_out_as_it_went_in(database: Database) -> None:
    flow = Flow("f")
    for index, value in enumerate(AWKWARD):
        flow = flow.step(f"s{index}", **gives(value))
    seen: list[Any] = []
    flow = flow.step("all", "note", depends_on=[step.slug for step in flow.steps])
    assert run_in(database, flow, handlers={"note": seen.append}).success
    [given] = seen
    assert repr(list(given.values())) == repr(AWKWARD)
    assert [list(value) for value in given.values() if isinstance(value, dict)] == [
        [], [""], ["b", "a"],
    ]  # fmt: skip


def test_each_output_is_one_row_under_its_step(database: Database, sql: Session) -> None:
    flow = Flow("f").step("a", "echo").map("m", "echo", depends_on="a", batch_size=2)
    assert run_in(database, flow, [1, None, 3]).success
    batches = {
        ("a", "for_m", "0"): {"dagster-pgflow/batch": {"start": 0, "values": [1, None], "of": 3}},
        ("a", "for_m", "1"): {"dagster-pgflow/batch": {"start": 2, "values": [3], "of": 3}},
        ("m[0]", "result", ""): {
            "dagster-pgflow/batch": {"start": 0, "values": [1, None], "of": 3}
        },
        ("m[1]", "result", ""): {"dagster-pgflow/batch": {"start": 2, "values": [3], "of": 3}},
    }
    whole = {("a", "result", ""): [1, None, 3], ("m__collect", "result", ""): [1, None, 3]}
    assert stored(sql) == whole | batches


def test_a_skipped_step_stores_why(database: Database, sql: Session) -> None:
    assert run_in(database, Flow("f").step("a", "echo", if_={"x": 1}), {}).success
    assert stored(sql)["a", "result", ""] == {
        "dagster-pgflow/skipped": {
            "reason": "condition_unmet",
            "step": "a",
            "cascade": False,
            "why": 'its input does not contain {"x": 1} (input is {})',
        }
    }


def test_outputs_of_two_runs_stay_apart(database: Database, sql: Session) -> None:
    flow = Flow("f").step("a", "echo").step("b", "echo", depends_on="a")
    for value in (1, 2):
        assert run_in(database, flow, value).success
    assert sorted(sql.column("select value from pgflow.step_outputs where step_key = 'a'")) == [
        1,
        2,
    ]


def test_large_outputs_go_to_the_folder_and_come_back(
    database: Database, sql: Session, tmp_path: Path
) -> None:
    large = ["é" * 1000] * 1000
    flow = (
        Flow("f").step("a", **gives(large)).step("b", "same", depends_on="a").step("c", **gives(1))
    )
    handlers = {"same": lambda value: value["a"] == large}
    assert run_in(database, flow, handlers=handlers, spill_to=tmp_path).success
    [(run_id, location, value, size)] = sql(
        "select dagster_run_id, location, value, size_bytes from pgflow.step_outputs"
        " where step_key = 'a'"
    )
    assert value is None
    assert Path(location).parent == tmp_path / str(run_id)
    assert json.loads(Path(location).read_text(encoding="utf-8")) == large
    assert Path(location).stat().st_size == size > DEFAULT_SPILL_BYTES
    assert stored(sql)["b", "result", ""] is True
    assert sql.value("select location from pgflow.step_outputs where step_key = 'c'") is None


def test_outputs_up_to_the_limit_stay_in_the_table(
    database: Database, sql: Session, tmp_path: Path
) -> None:
    flow = Flow("f").step("fits", **gives("x" * 8)).step("spills", **gives("x" * 9))
    assert run_in(database, flow, spill_to=tmp_path, spill_bytes=10).success
    assert sql("select step_key, location is null from pgflow.step_outputs order by 1") == [
        ("fits", True),
        ("spills", False),
    ]


def test_without_a_folder_everything_stays_in_the_table(database: Database, sql: Session) -> None:
    large = "x" * (DEFAULT_SPILL_BYTES + 1)
    assert run_in(database, Flow("f").step("a", **gives(large))).success
    assert stored(sql)["a", "result", ""] == large


def test_batches_spill_too(database: Database, sql: Session, tmp_path: Path) -> None:
    flow = (
        Flow("f")
        .step("a", "echo")
        .map("m", "echo", depends_on="a")
        .step("b", "echo", depends_on="m")
    )
    assert run_in(database, flow, ["xxxxxxxxxx", "y"], spill_to=tmp_path, spill_bytes=1).success
    locations = sql.column("select location from pgflow.step_outputs")
    assert len(set(locations)) == len(locations) == 6
    assert all(Path(location).is_file() for location in locations)


def test_a_missing_output_is_told_with_what_to_do(database: Database, sql: Session) -> None:
    def forget(value: Any) -> None:
        sql("delete from pgflow.step_outputs where step_key = 'a'")

    flow = (
        Flow("f")
        .step("a", "echo")
        .step("forget", "forget", depends_on="a")
        .step("b", "echo", depends_on=["a", "forget"])
    )
    result = run_in(database, flow, 1, handlers={"forget": forget}, memory_bytes=0)
    assert 'The output of step "a" of run' in result.error
    assert "start the run again from its first step" in result.error


def test_the_finished_elements_of_a_batch_are_kept_in_the_database(
    database: Database, sql: Session
) -> None:
    tries: list[int] = []

    def fail_at_first(value: int, ctx: Any) -> int:
        tries.append(value)
        if value == 2 and ctx.attempt == 1:
            raise ValueError
        return value * 10

    flow = Flow("f", base_delay=0).map("m", batch_size=3)
    assert run_in(database, flow, [1, 2, 3], handlers={"m": fail_at_first}).success
    assert tries == [1, 2, 3, 2]
    kept = stored(sql)["m[0]", "finished_elements", ""]
    assert {index: element["output"] for index, element in kept.items()} == {"0": 10, "2": 30}
    assert stored(sql)["m[0]", "result", ""]["dagster-pgflow/batch"]["values"] == [10, 20, 30]


def test_an_io_manager_of_the_users_own_takes_its_place(
    database: Database, database_url: str, sql: Session
) -> None:
    FlowBuilder(database).define_flow(Flow("f").step("a", "echo"))
    location = Location(
        {
            "database_url": database_url,
            "handlers": [{"echo": lambda value: value}],
            "io_manager": dg.mem_io_manager,
        }
    )
    result = location.job("f").execute_in_process(run_config={"inputs": {FLOW_INPUT: 5}})
    assert result.output_for_node("a") == 5
    assert stored(sql) == {}


def test_steps_in_processes_of_their_own_share_nothing_but_the_database(
    database: Database,
    database_url: str,
    sql: Session,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    builder = FlowBuilder(database)
    builder.define_flow(Flow("inner").step("last", "echo"))
    builder.define_flow(
        Flow("f", base_delay=0)
        .step("many")
        .map("m", "odd_ones_fail_once", depends_on="many", batch_size=3)
        .subflow("s", "inner", depends_on="m")
    )
    for name, value in (("URL", database_url), ("FLOW", "f"), ("TRACES", str(tmp_path))):
        monkeypatch.setenv(getattr(worker_processes, name), value)
    (tmp_path / "dagster").mkdir()
    with (
        dg.DagsterInstance.local_temp(str(tmp_path / "dagster")) as instance,
        dg.execute_job(
            dg.reconstructable(worker_processes.flow_job),
            instance=instance,
            run_config={"inputs": {FLOW_INPUT: {}}},
        ) as finished,
    ):
        assert finished.success
        run_id = UUID(finished.run_id)
        tries = sorted(tuple(map(int, path.name.split("-"))) for path in tmp_path.glob("*-*-*"))
        assert [(value, attempt) for value, attempt, _ in tries] == [
            (0, 1), (1, 1), (1, 2), (2, 1), (3, 1), (3, 2), (4, 1),
        ]  # fmt: skip
        assert len({process for _, _, process in tries}) == 4
        texts = {
            (out.key.step_key, out.key.output_name, out.key.mapping_key): out.text or ""
            for out in OutputStore(database).of_run(run_id)
        }
        result = result_of(True, finished.all_events, texts)
    assert result.outputs["s.last"] == {"m": [0, 10, 20, 30, 40]}
    assert result.retries == {"m": 2}


def test_an_output_that_the_repeated_run_never_had_is_one_sentence(database: Database) -> None:
    # What Dagster hands over when a flow has got steps since the run that is re-executed.
    upstream = dg.OutputContext(step_key="added", name="result")
    with pytest.raises(StoreError, match='"added" was no part of the run that is repeated'):
        PgflowIOManager(OutputStore(database)).load_input(
            dg.build_input_context(upstream_output=upstream)
        )
