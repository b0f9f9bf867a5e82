"""start and sql."""

import json
from pathlib import Path

import pytest

from dagster_pgflow.cli import following_runs
from tests.postgres import Session
from tests.unit.cli.conftest import Cli

RUN = "11111111-2222-3333-4444-555555555555"
OTHER = "11119999-2222-3333-4444-555555555555"


@pytest.fixture
def flows(cli: Cli) -> Cli:
    cli("load", "--examples")
    return cli


def finish(sql: Session, status: str, output: str | None, error: str | None = None) -> None:
    """Does what the sensors would do."""
    sql(
        "update pgflow.runs set status = %s, output = %s, error_message = %s,"
        " started_at = created_at, completed_at = created_at + interval '3 s'"
        " where run_id = %s",
        status,
        output,
        error,
        RUN,
    )


@pytest.mark.parametrize("how", ["text", "file", "stdin"])
def test_an_input_comes_as_text_from_a_file_or_from_standard_input(
    flows: Cli, tmp_path: Path, sql: Session, how: str
) -> None:
    text = '{"count": 3}'
    (tmp_path / "in.json").write_text(text)
    given = {"text": text, "file": f"@{tmp_path / 'in.json'}", "stdin": "-"}[how]
    result = flows("start", "ai_workflow", "--input", given, input=text)
    assert result.exit_code == 0
    assert sql.value("select input from pgflow.runs") == {"count": 3}


@pytest.mark.parametrize("given", ["{", "@none.json", '{"a": 1, "a": 2}', "NaN"])
def test_an_input_that_is_no_json_is_a_usage_error(flows: Cli, sql: Session, given: str) -> None:
    result = flows("start", "ai_workflow", "--input", given)
    assert result.exit_code == 2
    assert "Invalid value for '--input'" in result.stderr
    assert sql.value("select count(*) from pgflow.runs") == 0


def test_an_input_that_breaks_the_schema_is_refused(flows: Cli) -> None:
    result = flows("start", "measure_docs", "--input", '{"folder": 7}')
    assert result.exit_code == 1
    assert "input.folder is number, but must be string" in result.stderr


def test_the_same_run_id_starts_one_run(flows: Cli, sql: Session) -> None:
    for _ in range(2):
        started = flows("start", "ai_workflow", "--run-id", RUN, "--json")
        assert json.loads(started.stdout)["run_id"] == RUN
    assert sql.value("select count(*) from pgflow.runs") == 1


def test_waiting_for_a_completed_run_prints_its_output(flows: Cli, sql: Session) -> None:
    flows("start", "ai_workflow", "--run-id", RUN)
    finish(sql, "completed", '{"save": {"done": true}}')
    result = flows("start", "ai_workflow", "--run-id", RUN, "--wait")
    assert result.exit_code == 0
    assert f"Run {RUN} of flow ai_workflow completed in 3.0 s." in result.stderr
    assert json.loads(result.stdout) == {"save": {"done": True}}


def test_waiting_for_a_failed_run_is_exit_code_1(flows: Cli, sql: Session) -> None:
    flows("start", "ai_workflow", "--run-id", RUN)
    finish(sql, "failed", None, "It broke.")
    result = flows("start", "ai_workflow", "--run-id", RUN, "--wait")
    assert result.exit_code == 1
    assert "It broke." in result.stderr


def test_waiting_ends_with_its_time_and_the_run_goes_on(flows: Cli, sql: Session) -> None:
    flows("start", "ai_workflow", "--run-id", RUN)
    sql("update pgflow.runs set status = 'started', dagster_run_id = %s", OTHER)
    result = flows("start", "ai_workflow", "--run-id", RUN, "--timeout", "0.1")
    assert result.exit_code == 1
    assert "has not ended within 0.1 s and goes on" in result.stderr
    sql("update pgflow.runs set status = 'queued'")
    result = flows("start", "ai_workflow", "--run-id", RUN, "--timeout", "0.1")
    assert "has not ended within 0.1 s and waits in Dagster's queue" in result.stderr


def test_a_request_that_nobody_began_does_not_go_on(flows: Cli, sql: Session) -> None:
    result = flows("start", "ai_workflow", "--run-id", RUN, "--timeout", "0.1")
    assert result.exit_code == 1
    assert f"Nobody picked up run {RUN} within 0.1 s: no sensor is at work" in result.stderr
    assert "turn on the sensors" in result.stderr
    assert "goes on" not in result.stderr
    sql("insert into pgflow.projection_cursors values ('runs', '{}', now())")
    result = flows("start", "ai_workflow", "--run-id", RUN, "--timeout", "0.1")
    assert "the one whose name ends in _requests has not begun it" in result.stderr


def test_waiting_tells_each_failed_attempt_once(flows: Cli, sql: Session) -> None:
    flows("start", "ai_workflow", "--run-id", RUN)
    sql(
        "insert into pgflow.step_states (run_id, step_path, step_slug, flow_slug, step_type,"
        " status, initial_tasks) values (%s, 'fetch', 'fetch', 'ai_workflow', 'single',"
        " 'completed', 1)",
        RUN,
    )
    sql(
        "insert into pgflow.step_tasks (run_id, step_path, task_index, step_slug, flow_slug,"
        " status, attempts_count) values (%s, 'fetch', 0, 'fetch', 'ai_workflow', 'completed', 2)",
        RUN,
    )
    sql(
        "insert into pgflow.node_executions (run_id, step_path, task_index, step_slug, flow_slug,"
        " attempt, status, error, started_at, completed_at, duration_ms) values"
        " (%s, 'fetch', 0, 'fetch', 'ai_workflow', 1, 'failed', 'No network.', now(), now(), 0)",
        RUN,
    )
    sql("update pgflow.runs set status = 'started', dagster_run_id = %s", OTHER)
    told = flows("start", "ai_workflow", "--run-id", RUN, "--timeout", "1.2").stderr
    assert told.count("fetch: attempt 1 failed: No network.") == 1
    assert "fetch: completed (2 attempts)" in told
    assert "fetch: attempt 1 failed: No network." in flows("status", RUN).stdout


def test_a_run_that_nobody_picks_up_gets_a_hint(
    flows: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following_runs, "HINT_AFTER_S", 0.0)
    result = flows("start", "ai_workflow", "--timeout", "0.7")
    assert result.stderr.count("Is Dagster running with its daemon") == 1


def test_there_is_no_hint_while_sensors_are_at_work(
    flows: Cli, sql: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following_runs, "HINT_AFTER_S", 0.0)
    sql("insert into pgflow.projection_cursors values ('runs', '{}', now())")
    result = flows("start", "ai_workflow", "--timeout", "0.1")
    assert "Is Dagster running" not in result.stderr
    assert "does not load" not in result.stderr


def test_a_run_that_a_sensor_does_not_begin_either_points_to_doctor_once(
    flows: Cli, sql: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following_runs, "HINT_AFTER_S", 0.0)
    monkeypatch.setattr(following_runs, "BESIDE_SENSORS_AFTER_S", 0.0)
    sql("insert into pgflow.projection_cursors values ('runs', '{}', now())")
    told = flows("start", "ai_workflow", "--timeout", "0.7").stderr
    assert told.count("such as a code location that does not load") == 1
    assert "Is Dagster running" not in told


def test_sql_prints_rows_as_a_table_or_as_json(flows: Cli) -> None:
    query = "select flow_slug, count(*) as n from pgflow.steps group by 1 order by 1 limit 1"
    table = flows("sql", query).stdout
    assert "flow_slug" in table
    assert table.endswith("(1 row)\n")
    assert json.loads(flows("sql", query, "--json").stdout) == [
        {"flow_slug": "ai_workflow", "n": 3}
    ]


def test_sql_comes_from_standard_input_and_is_one_transaction(flows: Cli, sql: Session) -> None:
    result = flows("sql", "-", input="select pgflow.create_flow('x'); select nonsense;")
    assert result.exit_code == 1
    assert 'column "nonsense" does not exist' in result.stderr
    assert sql.value("select count(*) from pgflow.flows where flow_slug = 'x'") == 0


def test_sql_prints_what_each_statement_says(flows: Cli) -> None:
    text = "select 1 as one; update pgflow.flows set tags = '{}'; select 'a;b' as two"
    told = flows("sql", text).stdout
    assert [told.count(part) for part in ("one", "(4 rows)", "two", "a;b", "(1 row)")] == [
        *(1, 1, 1, 1, 2)
    ]
    assert json.loads(flows("sql", text, "--json").stdout) == [
        [{"one": 1}],
        [],
        [{"two": "a;b"}],
    ]


def test_of_several_statements_the_one_that_fails_is_named(flows: Cli, sql: Session) -> None:
    result = flows("sql", "-", input="delete from pgflow.schedules;\n\nselect nonsense")
    assert result.exit_code == 1
    assert 'Error: line 3: column "nonsense" does not exist' in result.stderr
    assert 'remove "commit"' in flows("sql", "select 1; commit").stderr
    assert flows("sql", " ; -- nothing").exit_code == 2


def test_sql_without_rows_says_how_many_it_changed(flows: Cli) -> None:
    assert flows("sql", "update pgflow.flows set tags = '{}'").stdout == "(4 rows)\n"
