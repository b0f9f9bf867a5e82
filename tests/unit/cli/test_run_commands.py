"""start, status and sql."""

import json
from pathlib import Path
from uuid import UUID

import pytest

from dagster_pgflow.cli import waiting
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
    assert f"Run {RUN} of flow ai_workflow completed in 3.0 s." in result.stdout
    assert '"done": true' in result.stdout


def test_waiting_for_a_failed_run_is_exit_code_1(flows: Cli, sql: Session) -> None:
    flows("start", "ai_workflow", "--run-id", RUN)
    finish(sql, "failed", None, "It broke.")
    result = flows("start", "ai_workflow", "--run-id", RUN, "--wait")
    assert result.exit_code == 1
    assert "It broke." in result.stderr


def test_waiting_ends_with_its_time_and_the_run_goes_on(flows: Cli) -> None:
    result = flows("start", "ai_workflow", "--timeout", "0.1")
    assert result.exit_code == 1
    assert "has not ended within 0.1 s and goes on" in result.stderr


def test_a_run_that_nobody_picks_up_gets_a_hint(
    flows: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "PATIENCE_S", 0.0)
    result = flows("start", "ai_workflow", "--timeout", "0.7")
    assert result.stderr.count("Is Dagster running with its daemon") == 1


def test_there_is_no_hint_while_sensors_are_at_work(
    flows: Cli, sql: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "PATIENCE_S", 0.0)
    sql("insert into pgflow.projection_cursors values ('runs', '{}', now())")
    result = flows("start", "ai_workflow", "--timeout", "0.1")
    assert "Is Dagster running" not in result.stderr


def test_the_latest_runs_are_listed(flows: Cli) -> None:
    assert "There are no runs yet" in flows("status").stdout
    flows("start", "ai_workflow", "--run-id", RUN)
    assert RUN[:8] in flows("status").stdout
    assert [run["status"] for run in json.loads(flows("status", "--json").stdout)] == ["queued"]


def test_a_run_is_found_by_the_first_digits_of_its_id(flows: Cli) -> None:
    flows("start", "ai_workflow", "--run-id", RUN)
    flows("start", "ai_workflow", "--run-id", OTHER)
    assert RUN in flows("status", RUN[:6]).stdout
    assert "More than one run id begins with 1111" in flows("status", "1111").stderr
    assert "There is no run 2222" in flows("status", "2222").stderr
    assert '"x%" is no run id' in flows("status", "x%").stderr


def test_a_run_is_found_by_the_id_that_dagster_gave_it(flows: Cli, sql: Session) -> None:
    flows("start", "ai_workflow", "--run-id", RUN)
    sql("update pgflow.runs set dagster_run_id = %s", OTHER)
    assert UUID(json.loads(flows("status", OTHER, "--json").stdout)["run"]["run_id"]) == UUID(RUN)


def test_a_run_shows_its_steps_and_subruns_as_a_tree(flows: Cli, sql: Session) -> None:
    flows("start", "order", "--run-id", RUN, "--input", ORDER)
    sql(
        "insert into pgflow.subruns (parent_run_id, parent_step_slug, subflow_slug, run_index,"
        " subrun_index, subrun_path, status) select id, 'payment', 'payment', 1, 1, '1', 'failed'"
        " from pgflow.runs"
    )
    sql(
        "insert into pgflow.step_states (run_id, step_path, step_slug, flow_slug, subrun_id,"
        " step_type, status, started_at, completed_at, error_message)"
        " select %s, path, slug, flow, case when path like '%%.%%' then subrun_id end, type,"
        " step.status, now() + make_interval(secs => number), now(), error"
        " from pgflow.subruns, (values"
        " (1, 'prepare', 'prepare', 'order', 'single', 'completed', null),"
        " (2, 'payment', 'payment', 'order', 'subflow', 'failed', null),"
        " (3, 'payment.charge', 'charge', 'payment', 'single', 'failed', 'No money.'),"
        " (4, 'confirm', 'confirm', 'order', 'single', 'cancelled', null)"
        " ) as step (number, path, slug, flow, type, status, error)",
        RUN,
    )
    lines = [line.strip() for line in flows("status", RUN).stdout.splitlines()]
    begins = [line[:14].rstrip() for line in lines if line.startswith(("├", "└", "│"))]
    assert begins == ["├─ prepare", "├─ payment", "│  └─ charge", "└─ confirm"]
    assert any("subrun 1 of flow payment" in line for line in lines)
    assert any("No money." in line for line in lines)


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


def test_sql_without_rows_says_how_many_it_changed(flows: Cli) -> None:
    assert flows("sql", "update pgflow.flows set tags = '{}'").stdout == "(4 rows)\n"


ORDER = json.dumps(
    {
        "order_id": "1",
        "lines": [{"item": "coffee", "price": 1250}],
        "card_number": "4111 1111 1111 1111",
        "expires": "12/39",
    }
)
